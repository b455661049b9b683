import type { Host, WrappedProgram } from './host.js';
import type { Started } from './started.js';

const PORT = '4890';

/** One end of the pair of test/fixtures/probe.h. */
export class Probe {
  private rounds = 0;

  constructor(
    readonly started: Started,
    /** Its program id, where it is wrapped. */
    readonly id: string | undefined,
  ) {}

  /** Resolves when every thread of it has gone on since. */
  async round(): Promise<void> {
    this.started.stdin.write('round\n');
    const wanted = ++this.rounds;
    while (this.started.stdout.lines.filter((line) => line === 'round done').length < wanted)
      await this.started.stdout.more(1);
  }

  /** What it has seen that no program sees without a move: "recv with a timeout: recv EINTR", and how often. */
  async report(): Promise<Map<string, number>> {
    this.started.stdin.write('report\n');
    await this.started.stdout.match(/^in \d+ steps of/);
    return new Map(this.started.stdout.lines.flatMap((line) => {
      const [, times, what] = /^saw (\d+) (.*)$/.exec(line) ?? [];
      return what === undefined ? [] : [[what, Number(times)]];
    }));
  }

  /** The program must have been asked for its report before: from then on nothing is noted. */
  async quit(): Promise<void> {
    this.started.stdin.write('quit\n');
    await this.started.succeeds();
  }
}

export interface ProbePair {
  readonly server: Probe & { readonly id: string };
  readonly client: Probe;
}

/** Resolves when all threads of both run. The client may know nothing of migrun. */
export async function startProbes({ from, to, wrapped }: { from: Host; to: Host; wrapped: boolean }): Promise<
  ProbePair
> {
  const server: WrappedProgram = await from.startWrapped(['probe_server', PORT]);
  await server.console.stderr.match(/^listening/);
  const command = ['probe_client', from.name, PORT];
  const client = wrapped ? await to.startWrapped(command) : { console: to.start(command), id: undefined };
  const pair = {
    server: new Probe(server.console, server.id) as ProbePair['server'],
    client: new Probe(client.console, client.id),
  };
  await rounds(pair);
  return pair;
}

export async function rounds({ server, client }: ProbePair): Promise<void> {
  await Promise.all([server.round(), client.round()]);
}
