import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A network namespace without a name. A process holds it that ends with this one, however this one ends: nothing stays. */
export class Namespace {
  private constructor(private readonly holder: ChildProcess) {}

  static async create(): Promise<Namespace> {
    // The holder reads a pipe of which only this process has the other end.
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const namespace = new Namespace(holder);
    namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  /** ip(8) takes it wherever it takes a name of ip-netns(8). */
  get pid(): string {
    return String(this.holder.pid);
  }

  /** A command as one that runs in here; the process that starts it becomes the command's own. */
  within(...command: string[]): [string, ...string[]] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, ...command];
  }

  ip(...args: string[]): void {
    this.run('ip', ...args);
  }

  run(...command: string[]): void {
    const [file, ...args] = this.within(...command);
    execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** To be called when all that ran in it has ended. */
  async remove(): Promise<void> {
    const ended = once(this.holder, 'exit');
    this.holder.stdin!.end();
    await ended;
  }
}
