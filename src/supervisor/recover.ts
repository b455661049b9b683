/**
 * What a supervisor does first with a program whose supervisor died: it finds out from the records and the journal how
 * far that one had come, and finishes or undoes it (docs/crashes.md).
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeDraft, wasCommitted } from '../checkpoint/draft';
import { MigrunError } from '../errors';
import type { Journal } from '../migration/journal';
import { awaitOutcome } from '../migration/outcome';
import type { MigrationTools } from '../migration/program';
import { takeUp } from '../migration/take-up';
import { native } from '../native/index';
import { takePipes } from '../program/far-ends';
import { destroyCgroup, innerPid, pidsOf, type Pod } from '../program/pod';
import type { ArrivalRecord, ProgramIdentity, ProgramRecord, Records } from '../program/record';
import { mapRegistry } from '../program/registry';
import { forgetKept, returnKept } from './kept';
import { isFrozen, letGo, silence } from './let-go';
import type { StdioState } from './stdio-state';

const CANCEL_DEADLINE_MS = 2_000;

/** A program that runs on here. */
export interface Recovered {
  readonly identity: ProgramIdentity;
  readonly pod: Pod;
  /** undefined: the console's positions were lost. */
  readonly stdio: StdioState | undefined;
  readonly console: ProgramRecord['console'];
}

export interface RecoveryTools extends MigrationTools {
  readonly journal: Journal;
  readonly records: Records;
}

/** undefined: nothing of the program is here any more. Waits for the target's word where only that counts. */
export async function recover(id: string, tools: RecoveryTools): Promise<Recovered | undefined> {
  const { journal, records, log } = tools;
  const arrival = records.arrival(id);
  if (arrival !== undefined) {
    const outcome = journal.decide(arrival.migration, 'aborted');
    log.info({ migration: arrival.migration, outcome }, 'the program was arriving');
    if (outcome === 'committed') return finishArrival(arrival, tools);
    await discard(arrival.cgroup, arrival.migration, tools);
    return undefined;
  }
  const record = records.program(id);
  return record === undefined ? undefined : recoverProgram(record, tools);
}

// a program of this host

async function recoverProgram(record: ProgramRecord, tools: RecoveryTools): Promise<Recovered | undefined> {
  const { cgroup, leaving, identity } = record;
  if (leaving !== null && (await hasLeft(leaving, tools))) {
    await forgetKept(identity.id, tools).catch((error: unknown) =>
      tools.log.warn({ err: error }, 'the agent keeps connections that it need not')
    );
    await discard(cgroup, leaving, tools);
    tools.journal.answered(leaving);
    return undefined;
  }
  const initPid = initOf(cgroup);
  if (initPid === undefined) {
    await discard(cgroup, leaving, tools);
    return undefined;
  }
  if (isFrozen(cgroup)) {
    await untraced(cgroup);
    await returnKept(identity.id, cgroup, tools).catch((error: unknown) =>
      tools.log.error({ err: error }, 'a connection that waited to be accepted is lost')
    );
    letGo(cgroup, mapRegistry(initPid), tools.log);
  }
  if (leaving !== null) await stay(leaving, tools);
  const pod: Pod = { id: identity.id, cgroup, initPid, stdio: record.terminal ? { kind: 'none' } : takePipes(initPid) };
  return { identity, pod, stdio: undefined, console: record.console === 'here' ? 'lost' : record.console };
}

/** Only where the commit may have been asked for can it have happened. */
async function hasLeft(migration: string, { config, journal, log }: RecoveryTools): Promise<boolean> {
  const asked = journal.asked(migration);
  if (asked === undefined) return false;
  if ('draft' in asked) return wasCommitted(asked);
  const outcome = await awaitOutcome(config, { host: asked.target, port: asked.port }, migration);
  log.info({ migration, outcome }, 'the commit was asked for');
  return outcome === 'committed';
}

/** The peers may unlock; what was on its way is not needed. */
async function stay(migration: string, { agent, config, journal, log }: RecoveryTools): Promise<void> {
  const asked = journal.asked(migration);
  journal.answered(migration);
  if (asked !== undefined && 'draft' in asked) removeDraft(asked);
  rmSync(join(config.runDir, 'migrations', migration), { recursive: true, force: true });
  await agent.ask({ type: 'cancel', migration, deadlineMs: CANCEL_DEADLINE_MS }).catch((error: unknown) =>
    log.warn({ err: error }, 'the peers were not told; their leases end')
  );
}

/**
 * A CRIU that was dumping goes on without whoever started it, and takes its code out of the processes in the end; in
 * between they must not run.
 */
async function untraced(cgroup: string): Promise<void> {
  for (let tracer = tracerOf(cgroup); tracer !== undefined; tracer = tracerOf(cgroup)) await death(tracer);
}

function tracerOf(cgroup: string): number | undefined {
  const tracers = pidsOf(cgroup).map((pid) => Number(/^TracerPid:\s*(\d+)$/m.exec(statusOf(pid))?.[1] ?? 0));
  return tracers.find((pid) => pid !== 0);
}

function death(pid: number): Promise<void> {
  return new Promise((resolve) => {
    let pidfd: number;
    try {
      pidfd = native.processOpen(pid);
    } catch {
      return resolve(); // it is dead
    }
    native.watchDeath(pidfd, resolve);
    native.closeFd(pidfd);
  });
}

// a program that was arriving

/** Nobody runs it here: not a process, not an image stays. */
async function discard(cgroup: string, migration: string | null, { config, log }: RecoveryTools): Promise<void> {
  if (livingIn(cgroup).length > 0) silence(cgroup, log);
  await destroyCgroup(cgroup);
  if (migration !== null) rmSync(join(config.runDir, 'migrations', migration), { recursive: true, force: true });
}

/** It was committed, so it runs here and nowhere else. It thaws last: one that is not frozen needs nothing more. */
async function finishArrival(
  { program, migration, cgroup }: ArrivalRecord,
  tools: RecoveryTools,
): Promise<Recovered | undefined> {
  const folder = join(tools.config.runDir, 'migrations', migration);
  const known = tools.records.program(program.id);
  const initPid = initOf(cgroup);
  if (initPid === undefined) {
    await discard(cgroup, migration, tools);
    return undefined;
  }
  const state = isFrozen(cgroup) ? await takeUp({ folder, cgroup, registry: mapRegistry(initPid) }, tools) : undefined;
  rmSync(folder, { recursive: true, force: true });
  const token = known?.identity.token ?? state?.console.token;
  if (token === undefined)
    throw new MigrunError('E_INTERNAL', `program ${program.id} runs, but nothing is known of its console`);
  const terminal = known?.terminal ?? (state !== undefined && state.terminal !== null);
  const pod: Pod = { id: program.id, cgroup, initPid, stdio: terminal ? { kind: 'none' } : takePipes(initPid) };
  // Whoever had it already may have read of what it printed.
  return {
    identity: { ...program, token },
    pod,
    stdio: known === undefined ? state?.console : undefined,
    console: 'elsewhere',
  };
}

// processes

function livingIn(cgroup: string): number[] {
  try {
    return pidsOf(cgroup);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function initOf(cgroup: string): number | undefined {
  return livingIn(cgroup).find((pid) => statusOf(pid) !== '' && innerPid(pid) === 1);
}

/** Empty where it ended meanwhile. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
