import type { z } from 'zod';
import { agentMessage, hostMessage, supervisorMessage } from '../../../src/protocol/control';
import { modestArrival } from '../../support/migration/arrivals';

const accepts = (schema: z.ZodType, message: unknown) => schema.safeParse(message).success;

describe('ids are never anything else, as they become names of files and cgroups', () => {
  const wrong = ['', '../../../etc', '1a2b3c4', '1A2B3C4D', '1a2b3c4d\n', '1a2b3c4d/', 'xyzxyzxy', 17, null];

  test('of programs', () => {
    expect(accepts(hostMessage, { type: 'open-console', program: '1a2b3c4d' })).toBe(true);
    for (const program of wrong) expect(accepts(hostMessage, { type: 'open-console', program })).toBe(false);
    for (const id of wrong) {
      const arrival = modestArrival();
      expect(
        accepts(supervisorMessage, { type: 'arrive', arrival: { ...arrival, program: { ...arrival.program, id } } }),
      ).toBe(false);
    }
  });

  test('of migrations', () => {
    const migration = 'a'.repeat(32);
    expect(accepts(hostMessage, { type: 'ask-outcome', migration })).toBe(true);
    expect(accepts(supervisorMessage, { type: 'arrive', arrival: modestArrival({ migration }) })).toBe(true);
    for (const id of [...wrong, 'a'.repeat(31), 'a'.repeat(33), '../'.repeat(11).slice(0, 32)]) {
      expect(accepts(hostMessage, { type: 'ask-outcome', migration: id })).toBe(false);
      expect(accepts(supervisorMessage, { type: 'arrive', arrival: { ...modestArrival(), migration: id } })).toBe(
        false,
      );
      expect(accepts(agentMessage, { type: 'cancel', migration: id, deadlineMs: 1 })).toBe(false);
    }
  });
});

test.each([0, 65, 1.5, -9])('%d is no signal', (signal) => {
  expect(accepts(supervisorMessage, { type: 'kill', signal })).toBe(false);
});

test.each([-1, 256, 1.5])('%d is no exit status', (status) => {
  expect(accepts(supervisorMessage, { type: 'exited', status })).toBe(false);
});

test.each([-1, 0.5, Number.NaN])('%d is no position of a stream', (position) => {
  expect(accepts(supervisorMessage, { type: 'acknowledge', name: 'stdout', position })).toBe(false);
  expect(accepts(supervisorMessage, { type: 'input', position, data: Buffer.alloc(1) })).toBe(false);
});

test.each(['stdin', '__proto__', ''])('%j is no output', (name) => {
  expect(accepts(supervisorMessage, { type: 'acknowledge', name, position: 0 })).toBe(false);
});

test('a message of a kind that is not known is refused', () => {
  for (const schema of [agentMessage, hostMessage, supervisorMessage]) {
    for (const message of [{ type: 'frobnicate' }, {}, null, [], 'done']) expect(accepts(schema, message)).toBe(false);
  }
});
