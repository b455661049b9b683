/** One program under supervision, whether it was started here or has arrived. */
import type { MigrationTools, MovingProgram } from '../kinds/program';
import type { Logger } from '../log';
import { native, type Registry, type Watch } from '../native/index';
import type { Journal } from '../program/journal';
import { takeDescriptor } from '../program/pidfds';
import { INIT_SIGNAL_CLOSE_STDIN, pidsOf, type Pod } from '../program/pod';
import { hasEnded } from '../program/processes';
import type { ProgramIdentity, Records } from '../program/record';
import { mapRegistry, registryFdsOf } from '../program/registry';
import type { ConsoleState, Terminal } from '../program/stdio';
import type { ProgramSummary } from '../protocol/control/index';
import { ConsoleServer } from './console';
import { Stdio, type StdioState } from './stdio';

/** Stands for the status of a process that is not our child: only a parent learns how a process ended. */
const UNKNOWN_STATUS = 127;

/** What the parts of a supervisor work with. */
export interface SupervisorTools extends MigrationTools {
  readonly journal: Journal;
  readonly records: Records;
}

export class Program implements MovingProgram {
  readonly stdio: Stdio;
  readonly console: ConsoleServer;
  readonly registry: Registry | undefined;
  readonly terminal: Terminal | undefined;
  state: ProgramSummary['state'] = 'running';
  /** How many there were when they were last counted. */
  connections = 0;
  /** Called when a connection was made or ended, or the program began to listen. */
  onSockets: (() => void) | undefined;
  private readonly pidfd: number;
  private readonly watches: Watch[] = [];

  /**
   * Takes the pod's descriptors over. Without a state, positions count from the one that the next console names.
   * `onExit` gets the program's exit status, once; UNKNOWN_STATUS where init is no child of this process.
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

  /** Sends a signal to init, which gives it to the program (native/init/init.c). */
  signal(signo: number): void {
    try {
      process.kill(this.pod.initPid, signo);
    } catch (error) {
      this.log.debug({ err: error, signo }, 'the program is gone already');
    }
  }

  freezeConsole(): void {
    this.console.freeze();
    this.stdio.freeze();
  }

  consoleSettled(timeoutMs: number): Promise<void> {
    return this.stdio.settled(timeoutMs);
  }

  consoleState(): ConsoleState {
    return { token: this.identity.token, ...this.stdio.state() };
  }

  thawConsole(): void {
    this.stdio.thaw();
    this.console.thaw();
  }

  /** Closes all that is open towards the program, which runs on. */
  close(): void {
    for (const watch of this.watches) watch.close();
    this.registry?.close();
    this.stdio.close();
    native.closeFd(this.pidfd);
  }

  /** Looks at every descriptor of the program, which takes 20 us a connection. */
  countConnections(): void {
    const sockets = native.socketCollect(pidsOf(this.pod.cgroup));
    for (const { fd } of sockets) native.closeFd(fd);
    this.connections = sockets.filter(({ remote }) => remote.port !== 0).length;
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
        this.watches.push(native.watchEvents(takeDescriptor(initPid, fds.event), () => this.onSockets?.()));
      return mapRegistry(initPid);
    } catch (error) {
      if (!hasEnded(error, initPid)) throw error;
      return undefined; // it has ended, and `onExit` is about to be called
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
