import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repo } from '../repo.js';
import { type OutputKind, Started } from './started.js';

export const labTool = join(repo, 'tools/lab');

type Environment = Readonly<Record<string, string>>;

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `migrun -- command`: its process is the console. */
export interface WrappedProgram {
  readonly id: string;
  readonly console: Started;
}

/** A migration that did not happen. */
export interface Refusal {
  readonly code: string;
  /** All that was said. */
  readonly text: string;
  /** The steps that were undone, last first. */
  readonly undone: readonly string[];
}

/** One host of a lab. */
export class Host {
  readonly programs: string[] = [];
  private readonly started: Started[] = [];

  constructor(
    readonly name: string,
    private readonly prefix: string,
    /** <lab>/<host>/state, which outlives the host's processes. */
    readonly stateDir: string,
    private readonly networkInode: number,
  ) {}

  get keyFile(): string {
    return join(this.stateDir, 'cluster.key');
  }

  get key(): string {
    return readFileSync(this.keyFile, 'utf8');
  }

  set key(key: string) {
    writeFileSync(this.keyFile, key, { mode: 0o600 });
  }

  start(command: readonly string[], env: Environment = {}, output: OutputKind = 'lines'): Started {
    const started = new Started([labTool, 'exec', '--prefix', this.prefix, this.name, '--', ...command], {
      ...process.env,
      ...env,
    }, output);
    this.started.push(started);
    return started;
  }

  /** Runs it to its end. */
  async run(command: readonly string[], env: Environment = {}): Promise<Finished> {
    const started = this.start(command, env);
    started.stdin.end();
    const { status } = await started.ended;
    return { status, stdout: started.stdout.all, stderr: started.stderr.all };
  }

  /** Resolves when it serves. Started by another command, `through`, in what that makes. */
  async startAgent(env: Environment = {}, through: readonly string[] = []): Promise<Started> {
    const agent = this.start([...through, 'migrun', 'agent'], env);
    await agent.stderr.match(/"agent started"/);
    return agent;
  }

  /** Resolves when the program runs. */
  async startWrapped(
    command: readonly string[],
    env: Environment = {},
    output: OutputKind = 'lines',
  ): Promise<WrappedProgram> {
    const console = this.start(['migrun', '--', ...command], env, output);
    const [, id] = await console.stderr.match(/^migrun: program ([0-9a-f]{8})$/);
    this.programs.push(id!);
    return { id: id!, console };
  }

  /** Throws with everything that is known where the program did not move, or not with all of its connections. */
  async migrate(id: string, to: Host): Promise<void> {
    const { status, stdout, stderr } = await this.run(['migrun', 'migrate', id, '--to', to.name, '--json']);
    const report = status === 0
      ? (JSON.parse(stdout) as { lost: unknown[]; phases: unknown[] })
      : { lost: [], phases: [] };
    if (status === 0 && report.lost.length === 0) return;
    const what = status === 0 ? `lost ${report.lost.length} connections on its way` : 'did not move';
    const said = `${stderr}${JSON.stringify(report.lost.slice(0, 3))}${JSON.stringify(report.phases)}`;
    throw new Error(`${id} ${what} from ${this.name} to ${to.name}: ${said}\n${await this.logs()}${await to.logs()}`);
  }

  /** The error of a migration that must not happen. */
  async refusal(id: string, to: string): Promise<Refusal> {
    return refusalOf(await this.run(['migrun', 'migrate', id, '--to', to]));
  }

  async list(): Promise<{ id: string; state: string; connections: number }[]> {
    return JSON.parse((await this.run(['migrun', 'ls', '--json'])).stdout) as {
      id: string;
      state: string;
      connections: number;
    }[];
  }

  /** What runs in its network namespace, by command lines. */
  processes(): { pid: number; command: string }[] {
    return readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      try {
        if (statSync(`/proc/${pid}/ns/net`).ino !== this.networkInode) return [];
        return [{
          pid: Number(pid),
          command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim(),
        }];
      } catch {
        return []; // it ended meanwhile
      }
    });
  }

  /** Ends what it was told to start and still runs; without agents where these stay for the next test. */
  async killStarted({ agents }: { agents: boolean } = { agents: true }): Promise<void> {
    const left = this.started.filter((process) => process.running && (agents || !isAgent(process)));
    await Promise.all(left.map((process) => process.kill('SIGKILL')));
  }

  private async logs(): Promise<string> {
    const { stdout } = await this.run(['sh', '-c', 'tail -n 40 /run/migrun/log/* 2>&1 | cut -c 1-400']);
    const agents = this.started.filter(isAgent).map(({ stderr }) => stderr.all);
    return `--- ${this.name}\n${stdout}\n${agents.join('\n')}\n`;
  }
}

function isAgent({ child }: Started): boolean {
  return child.spawnargs.includes('agent');
}

export function refusalOf({ status, stdout, stderr }: Finished): Refusal {
  const [, code] = /^migrun: (E_[A-Z_]+): /m.exec(stderr) ?? [];
  if (status !== 1 || code === undefined) throw new Error(`no refusal, but status ${status}: ${stdout}${stderr}`);
  return { code, text: stderr, undone: [...stderr.matchAll(/^ {2}undone: ([\w-]+)/gm)].map(([, step]) => step!) };
}
