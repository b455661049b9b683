/**
 * One `criu swrk` process: a CRIU that is told what to do over a socket pair and tells us at each stage.
 *
 * It is started ahead of time, so that loading it costs nothing while a program is frozen. It serves one request.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MigrunError } from '../errors';
import { type MessageSocket, native } from '../native/index';
import { type CriuOptions, type CriuResponse, decodeResponse, encodeFeatureCheck, encodeNotifyAnswer, encodeRequest,
  rehearseMessages } from './rpc';

/**
 * CRIU stops a task by its system calls, not by a hardware breakpoint (FI_NO_BREAKPOINTS in its fault-injection.h,
 * meant for its tests). A breakpoint stays with the task as a perf event, at which the kernel looks at each of its
 * context switches for the rest of its life, and the first of a system waits for an RCU grace period, 4 to 26 ms in
 * which the program stands still.
 */
const NO_BREAKPOINTS = { CRIU_FAULT: '130' };

/**
 * Is awaited before CRIU goes on from a stage. Where it rejects, so does the request, and CRIU stays where it is with
 * what it has restored: if it were told of a failure in its last stage, pre-resume, it would only log that and let
 * everything run (criu/cr-restore.c). So kill what is restored first, then close the worker.
 */
export type StageHandler = (stage: string, pid: number | undefined) => Promise<void> | void;

/** A deleted file that is open moves with its content, up to this. CRIU's own limit is 1 MiB. */
export const GHOST_LIMIT_BYTES = 64 << 20;

const LOG_FILE = 'criu.log';
/** CRIU calls it an error, and goes on, that it cannot raise its own limit of open files without CAP_SYS_RESOURCE. */
const HARMLESS = /rlimit: Can't setup RLIMIT_NOFILE for self/;

export class CriuWorker {
  private readonly child: ChildProcess;
  private readonly socket: MessageSocket;
  private onResponse: ((response: CriuResponse) => void) | undefined;
  private onEnd: ((error: MigrunError) => void) | undefined;
  private ended = false;
  private readonly gone: Promise<void>;

  /** The worker has the `inherited` descriptors as 4, 5, ...; they stay the caller's to close. */
  constructor(
    criu: string,
    private readonly imagesDir: string,
    private readonly keptLog: string,
    inherited: readonly number[] = [],
  ) {
    if (!existsSync(criu)) {
      throw new MigrunError('E_NO_CRIU', `there is no CRIU at ${criu}`, {
        hint: 'run tools/setup, or set MIGRUN_CRIU',
      });
    }
    const [ours, theirs] = native.seqpacketPair();
    const errors = openSync(join(imagesDir, 'criu.stderr'), 'w', 0o600);
    try {
      // In a session of its own: Ctrl-C at our terminal is the program's, and would end CRIU in the middle of a dump.
      this.child = spawn(criu, ['swrk', '3'], {
        stdio: ['ignore', errors, errors, theirs, ...inherited],
        detached: true,
        env: { ...process.env, ...NO_BREAKPOINTS },
      });
    } finally {
      closeSync(errors);
      native.closeFd(theirs);
    }
    this.gone = new Promise((resolve) => {
      this.child.once('exit', () => resolve()).once('error', () => resolve());
    });
    this.child.on(
      'error',
      (cause) => this.end(new MigrunError('E_CRIU', `CRIU does not start: ${cause.message}`, { cause })),
    );
    this.socket = native.openMessageSocket(ours, (message) => this.receive(message), () => this.lost());
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /**
   * Makes CRIU probe this kernel now and keep what it found (where /run is a tmpfs), not while a program is frozen:
   * the first time after a boot that takes 40 ms and more. All else that is slow only once is done here, too. Rejects
   * where CRIU cannot work here.
   */
  async warm(): Promise<void> {
    rehearseMessages();
    await this.exchange(encodeFeatureCheck());
  }

  joinCgroup(cgroup: string): void {
    writeFileSync(join(cgroup, 'cgroup.procs'), String(this.pid));
  }

  dump(options: CriuOptions): Promise<void> {
    return this.exchange(encodeRequest('DUMP', this.complete(options))).then(() => undefined);
  }

  /** Resolves with the root task's pid once CRIU has let go of the restored processes. */
  async restore(options: CriuOptions, onStage: StageHandler): Promise<number> {
    const request = encodeRequest('RESTORE', { ...this.complete(options), notify_scripts: true });
    const response = await this.exchange(request, onStage);
    if (response.restore === undefined) throw this.failure('CRIU restored nothing');
    return response.restore.pid;
  }

  async version(): Promise<string> {
    const { version } = await this.exchange(encodeRequest('VERSION'));
    return version === undefined
      ? 'unknown'
      : [version.major_number, version.minor_number, version.sublevel ?? 0].join('.');
  }

  /**
   * Ends CRIU wherever it is. What it was restoring is to be killed by its cgroup. Resolves when the process is no
   * more: what it has restored is a child of ours only then, and CRIU may linger after its last answer.
   */
  close(): Promise<void> {
    this.ended = true;
    this.socket.close();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    return this.gone;
  }

  private complete(options: CriuOptions): CriuOptions {
    return {
      images_dir: this.imagesDir,
      log_file: LOG_FILE,
      log_level: 2,
      tcp_close: true,
      network_lock: 'SKIP',
      manage_cgroups: true,
      manage_cgroups_mode: 'IGNORE',
      file_locks: true,
      ext_unix_sk: true,
      ghost_limit: GHOST_LIMIT_BYTES,
      ...options,
    };
  }

  private exchange(request: Buffer, onStage?: StageHandler): Promise<CriuResponse> {
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(this.failure('CRIU ended before it was asked'));
      this.onEnd = reject;
      this.onResponse = (response) => {
        if (response.type === 'NOTIFY') return void this.answerStage(response, onStage, reject);
        this.onEnd = undefined;
        if (response.success) resolve(response);
        else reject(this.failure(response.cr_errmsg ?? `errno ${response.cr_errno ?? 0}`));
      };
      this.send(request);
    });
  }

  private async answerStage(
    response: CriuResponse,
    onStage: StageHandler | undefined,
    reject: (error: unknown) => void,
  ): Promise<void> {
    try {
      await onStage?.(response.notify?.script ?? '', response.notify?.pid);
    } catch (error) {
      return reject(error);
    }
    if (!this.ended) this.send(encodeNotifyAnswer());
  }

  private send(message: Buffer): void {
    try {
      this.socket.send(message);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error; // CRIU is gone: `lost` is about to be called
    }
  }

  private receive(message: Buffer): void {
    let response: CriuResponse;
    try {
      response = decodeResponse(message);
    } catch (cause) {
      return this.end(new MigrunError('E_CRIU', 'CRIU answers in another format', { cause }));
    }
    this.onResponse?.(response);
  }

  /** CRIU is gone, which is a failure only where an answer is awaited: it ends by itself after its last one. */
  private lost(): void {
    if (this.onEnd !== undefined) this.end(this.failure('CRIU ended without an answer'));
    this.ended = true;
  }

  private end(error: MigrunError): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd?.(error);
  }

  /** Keeps CRIU's log where it outlives the images. */
  private failure(what: string): MigrunError {
    const said = this.firstError();
    const log = join(this.imagesDir, LOG_FILE);
    if (existsSync(log)) copyFileSync(log, this.keptLog);
    return new MigrunError('E_CRIU', said === undefined ? what : `CRIU says: ${said}`, {
      hint: `its log: ${this.keptLog}`,
    });
  }

  /** The first error in CRIU's log: later ones are its consequences. */
  private firstError(): string | undefined {
    for (const file of [LOG_FILE, 'criu.stderr']) {
      const path = join(this.imagesDir, file);
      if (!existsSync(path)) continue;
      const line = readFileSync(path, 'utf8').split('\n').find((text) =>
        text.includes('Error (') && !HARMLESS.test(text)
      );
      if (line !== undefined) return line.replace(/^.*Error \([^)]*\): /, '').trim();
    }
    return undefined;
  }
}
