/** One program under supervision, whether it was started here or has arrived. */
import type { Logger } from '../log';
import type { MovingProgram } from '../migration/program';
import type { ConsoleState } from '../migration/state';
import { native, type Registry, type Watch } from '../native/index';
import { INIT_SIGNAL_CLOSE_STDIN, pidsOf, type Pod, registryFdsOf, takeFromInit } from '../program/pod';
import type { ProgramIdentity } from '../program/record';
import { mapRegistry } from '../program/registry';
import type { Terminal } from '../program/terminal';
import type { ProgramSummary } from '../protocol/control/index';
import { ConsoleServer } from './console';
import { Stdio } from './stdio';
import type { StdioState } from './stdio-state';

/** The shell's code for an end that nobody could see: only its parent learns how a process ended. */
const UNKNOWN_STATUS = 127;

/** What /proc and pidfd_getfd(2) say of a process that is ending. */
const GONE = ['ENOENT', 'ESRCH'];

export class Program implements MovingProgram {
  readonly stdio: Stdio;
  readonly console: ConsoleServer;
  readonly registry: Registry | undefined;
  readonly terminal: Terminal | undefined;
  state: ProgramSummary['state'] = 'running';
  /** As last counted. */
  connections = 0;
  /** Called when a connection was made or ended, or the program began to listen. */
  onSockets: (() => void) | undefined;
  private readonly pidfd: number;
  private readonly watches: Watch[] = [];

  /**
   * Takes the pod's descriptors over. Without a state, positions count from where the next console is. `onExit` gets
   * the program's exit status, once; an adopted program's is not known.
   */
  constructor(
    readonly identity: ProgramIdentity,
    readonly pod: Pod,
    stdioState: StdioState | undefined,
    private readonly log: Logger,
    onExit: (status: number) => void,
  ) {
    this.pidfd = native.processOpen(pod.initPid);
    this.watches.push(watchEnd(this.pidfd, onExit));
    this.stdio = new Stdio(pod.stdio, stdioState, () => this.signal(INIT_SIGNAL_CLOSE_STDIN));
    this.console = new ConsoleServer(this.stdio, identity.token, (signo) => this.signal(signo));
    this.terminal = pod.stdio.kind === 'terminal' ? pod.stdio.terminal : undefined;
    this.registry = this.openRegistry();
  }

  get cgroup(): string {
    return this.pod.cgroup;
  }

  get initPid(): number {
    return this.pod.initPid;
  }

  get summary(): ProgramSummary {
    const { id, group, command, startedAt } = this.identity;
    return {
      id,
      group,
      command: [...command],
      pid: this.mainPid(),
      state: this.state,
      connections: this.connections,
      startedAt,
    };
  }

  /** To init, which gives it to the program (native/init/init.c). */
  signal(signo: number): void {
    try {
      process.kill(this.pod.initPid, signo);
    } catch (error) {
      this.log.debug({ err: error, signo }, 'the program is gone already');
    }
  }

  holdConsole(): void {
    this.console.hold();
    this.stdio.hold();
  }

  consoleSettled(timeoutMs: number): Promise<void> {
    return this.stdio.settled(timeoutMs);
  }

  consoleState(): ConsoleState {
    return { token: this.identity.token, ...this.stdio.state() };
  }

  releaseConsole(): void {
    this.stdio.release();
    this.console.release();
  }

  /** Lets go of the program; it is not ended by this. */
  close(): void {
    for (const watch of this.watches) watch.close();
    this.registry?.close();
    this.stdio.close();
    native.closeFd(this.pidfd);
  }

  /** Takes a look at every descriptor of the program: 20 us a connection. */
  countConnections(): void {
    const held = native.socketCollect(pidsOf(this.pod.cgroup));
    for (const { fd } of held) native.closeFd(fd);
    this.connections = held.filter(({ remote }) => remote.port !== 0).length;
  }

  private mainPid(): number {
    const pids = pidsOf(this.pod.cgroup).filter((pid) => pid !== this.pod.initPid);
    return pids[0] ?? this.pod.initPid;
  }

  private openRegistry(): Registry | undefined {
    const { initPid } = this.pod;
    try {
      const fds = registryFdsOf(initPid);
      if (fds !== undefined)
        this.watches.push(native.watchEvents(takeFromInit(initPid, fds.event), () => this.onSockets?.()));
      return mapRegistry(initPid);
    } catch (error) {
      if (!GONE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      return undefined; // it has ended already; `onExit` is about to be called
    }
  }
}

/** Init is our child, or was that of a supervisor before us. */
function watchEnd(pidfd: number, onExit: (status: number) => void): Watch {
  try {
    return native.watchExit(pidfd, onExit);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECHILD') throw error;
    return native.watchDeath(pidfd, () => onExit(UNKNOWN_STATUS));
  }
}
