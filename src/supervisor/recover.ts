/**
 * What a supervisor does first with a program whose supervisor died: it finds out from the records and the journal how
 * far that one had come, and finishes or undoes it (docs/crashes.md).
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeDraft, wasCommitted } from '../checkpoint/draft';
import { MigrunError } from '../errors';
import { consoleOf } from '../kinds/console';
import { pickUp } from '../migration/arriving/pick-up';
import { awaitOutcome } from '../migration/leaving/target-link';
import { native } from '../native/index';
import { destroyCgroup, type Pod } from '../program/pod';
import { initOf, livingIn, tracerOf } from '../program/processes';
import type { ArrivalRecord, ProgramIdentity, ProgramRecord } from '../program/record';
import { mapRegistry } from '../program/registry';
import { takePipes } from '../program/stdio';
import { CANCEL_DEADLINE_MS } from '../times';
import type { SupervisorTools } from './program';
import type { StdioState } from './stdio';
import { closeSilently, forgetEntrusted, isFrozen, returnEntrusted, unlockAndThaw } from './undo-crash';

/** A program that runs on here. */
export interface Recovered {
  readonly identity: ProgramIdentity;
  readonly pod: Pod;
  /** Missing where the console's positions were lost. */
  readonly stdio: StdioState | undefined;
  readonly console: ProgramRecord['console'];
}

/** Gives undefined where nothing of the program is here any more. Waits for the target where it decides. */
export async function recover(id: string, tools: SupervisorTools): Promise<Recovered | undefined> {
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

async function recoverProgram(record: ProgramRecord, tools: SupervisorTools): Promise<Recovered | undefined> {
  const { cgroup, leaving, identity } = record;
  if (leaving !== null && (await hasLeft(leaving, tools))) {
    await forgetEntrusted(identity.id, tools).catch((error: unknown) =>
      tools.log.warn({ err: error }, 'the agent has connections that it need not have')
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
    await returnEntrusted(identity.id, cgroup, tools).catch((error: unknown) =>
      tools.log.error({ err: error }, 'a connection that waited to be accepted is lost')
    );
    unlockAndThaw(cgroup, mapRegistry(initPid), tools.log);
  }
  if (leaving !== null) await stay(leaving, tools);
  const pod = podOf(identity.id, cgroup, initPid, record.terminal);
  return { identity, pod, stdio: undefined, console: record.console === 'here' ? 'lost' : record.console };
}

/** Whether the program was committed to its target, or its file: it was not if nobody asked for the commit. */
async function hasLeft(migration: string, { config, journal, log }: SupervisorTools): Promise<boolean> {
  const asked = journal.asked(migration);
  if (asked === undefined) return false;
  if ('draft' in asked) return wasCommitted(asked);
  const outcome = await awaitOutcome(config, { host: asked.target, port: asked.port }, migration);
  log.info({ migration, outcome }, 'the commit was asked for');
  return outcome === 'committed';
}

/** The program stays: removes what was on its way, and has the peers unlock. */
async function stay(migration: string, { agent, config, journal, log }: SupervisorTools): Promise<void> {
  const asked = journal.asked(migration);
  journal.answered(migration);
  if (asked !== undefined && 'draft' in asked) removeDraft(asked);
  rmSync(join(config.runDir, 'migrations', migration), { recursive: true, force: true });
  await agent.ask({ type: 'cancel', migration, deadlineMs: CANCEL_DEADLINE_MS }).catch((error: unknown) =>
    log.warn({ err: error }, 'the peers were not told; their leases end')
  );
}

/**
 * Waits until nobody traces a process of the program. A CRIU that was dumping goes on when its parent has died, and
 * takes its code out of the processes in the end; until then they must not run.
 */
async function untraced(cgroup: string): Promise<void> {
  for (let tracer = tracerOf(cgroup); tracer !== undefined; tracer = tracerOf(cgroup)) await death(tracer);
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

/** Leaves neither a process nor an image of it here. */
async function discard(cgroup: string, migration: string | null, { config, log }: SupervisorTools): Promise<void> {
  if (livingIn(cgroup).length > 0) closeSilently(cgroup, log);
  await destroyCgroup(cgroup);
  if (migration !== null) rmSync(join(config.runDir, 'migrations', migration), { recursive: true, force: true });
}

/** Finishes what was committed. The thaw comes last: a program that is not frozen needs nothing more. */
async function finishArrival(
  { program, migration, cgroup }: ArrivalRecord,
  tools: SupervisorTools,
): Promise<Recovered | undefined> {
  const folder = join(tools.config.runDir, 'migrations', migration);
  const known = tools.records.program(program.id);
  const initPid = initOf(cgroup);
  if (initPid === undefined) {
    await discard(cgroup, migration, tools);
    return undefined;
  }
  const state = isFrozen(cgroup) ? await pickUp({ folder, cgroup, registry: mapRegistry(initPid) }, tools) : undefined;
  rmSync(folder, { recursive: true, force: true });
  const console = state === undefined ? undefined : consoleOf(state.kinds);
  const token = known?.identity.token ?? console?.console.token;
  if (token === undefined)
    throw new MigrunError('E_INTERNAL', `program ${program.id} runs, but nothing is known of its console`);
  const terminal = known?.terminal ?? (console?.terminal ?? null) !== null;
  const pod = podOf(program.id, cgroup, initPid, terminal);
  // Where the program has a record, its supervisor may have read of what it printed; then the positions are lost.
  return {
    identity: { ...program, token },
    pod,
    stdio: known === undefined ? console?.console : undefined,
    console: 'elsewhere',
  };
}

/** A terminal's master went with the supervisor before; the far ends of pipes are with init. */
function podOf(id: string, cgroup: string, initPid: number, terminal: boolean): Pod {
  return { id, cgroup, initPid, stdio: terminal ? { kind: 'none' } : takePipes(initPid) };
}
