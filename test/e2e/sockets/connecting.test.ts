/** Connects that are in progress when the program moves: they begin again from the other host, and end as they would have. */
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';
import { Actors, type End } from './script.js';

const KINDS = [
  { name: 'IPv4', families: { m: 4, p: 4 }, any: '0.0.0.0', hostC: '10.77.0.3', port: 5004 },
  { name: 'IPv6', families: { m: 6, p: 6 }, any: '::', hostC: 'fd77::3', port: 5006 },
  { name: 'mapped', families: { m: 6, p: 4 }, any: '0.0.0.0', hostC: '10.77.0.3', port: 5046 },
] as const;

const USE = 'm send 3000; p recv 3000; p send 3000; m recv 3000; m shut w; p end -> ok 0; p shut w; m end -> ok 0';

/** The listening socket is deaf until the program is back; then it hears, or is not there any more. */
const CASES = [
  {
    name: 'a blocked connect',
    before: 'm & connect $host $port',
    isThere: true,
    after: `m done; p accept $listener; ${USE}`,
  },
  {
    name: 'a connect that does not wait',
    before: 'm nonblock; m connect $host $port -> error EINPROGRESS',
    isThere: true,
    after: `m poll o 20000 -> ok o; m error -> ok none; p accept $listener; m block; ${USE}`,
  },
  {
    name: 'a connect with a port of its own',
    before: 'm bind $any $own; m & connect $host $port',
    isThere: true,
    after: `m done; p accept $listener; ${USE}`,
  },
  {
    name: 'a blocked connect that is refused',
    before: 'm & connect $host $port',
    isThere: false,
    after: 'm done -> error ECONNREFUSED',
  },
  {
    name: 'a connect that is refused and does not wait',
    before: 'm nonblock; m connect $host $port -> error EINPROGRESS',
    isThere: false,
    after: 'm poll o 20000 -> ok ohe; m error -> ok ECONNREFUSED',
  },
] as const;

const LISTENERS = 1000;
const lab = useLab();
const instances = KINDS.flatMap((kind) => CASES.map((one) => ({ title: `${one.name}, ${kind.name}`, kind, one })));

describe('a connect in progress moves, and back', () => {
  let boxes: Record<End, SocketBox>;
  const actors = new Map<string, Actors>();

  async function forListeners(...commands: string[]): Promise<void> {
    for (const [index, { one: { isThere } }] of instances.entries()) {
      for (const command of commands)
        expect(await boxes.p.run(`${isThere || command !== 'hear' ? command : 'close'} ${LISTENERS + index}`)).toMatch(
          /^ok/,
        );
    }
  }

  beforeAll(async () => {
    await lab.startAgents();
    boxes = { m: await SocketBox.wrapped(lab.hostA), p: SocketBox.plain(lab.hostC) };
    for (const [index, { kind }] of instances.entries()) {
      const listener = LISTENERS + index;
      for (
        const command of [`socket ${listener} ${kind.families.p}`,
          `bind ${listener} ${kind.any} ${kind.port + 100 * index}`, `listen ${listener} 5`]
      ) {
        expect(await boxes.p.run(command)).toMatch(/^ok/);
      }
    }
    await forListeners('deaf');
    for (const [index, { title, kind, one }] of instances.entries()) {
      const words = {
        $host: kind.hostC,
        $port: String(kind.port + 100 * index),
        $listener: String(LISTENERS + index),
        $any: kind.families.m === 6 ? '::' : '0.0.0.0',
        $own: String(7000 + index),
      };
      const actor = new Actors(boxes, index, words);
      actors.set(title, actor);
      expect(await boxes.m.run(`socket ${index} ${kind.families.m}`)).toMatch(/^ok/);
      await actor.play(`${one.before}; m state SYN_SENT`);
    }
    await lab.hostA.migrate(boxes.m.id!, lab.hostB);
    for (const actor of actors.values()) await actor.play('m state SYN_SENT');
    await lab.hostB.migrate(boxes.m.id!, lab.hostA);
    for (const actor of actors.values()) await actor.play('m state SYN_SENT');
    await forListeners('hear');
  });

  afterAll(() => Promise.all([boxes.m.end(), boxes.p.end()]));

  test.each(instances)('$title', async ({ title, one }) => {
    await actors.get(title)!.play(one.after);
  });
});
