import { execFileSync } from 'node:child_process';
import { compile } from '../../support/compile.js';

const program = compile(['test/native/programs/fuzz_inband.c', 'native/inband/packet.c', 'native/socket/address.c',
  'native/socket/headers.c'], ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']);

afterAll(() => program.remove());

describe('inband_parse', () => {
  test.each(['0x9e3779b97f4a7c15', '1', '4884'])('reads nothing outside of a mutated packet (seed %s)', (seed) => {
    const said = execFileSync(program.path, ['300000', seed], { encoding: 'latin1' });
    const accepted = Number(/(\d+) accepted/.exec(said)?.[1]);
    expect(accepted).toBeGreaterThan(30_000);
    expect(accepted).toBeLessThan(270_000);
  });
});
