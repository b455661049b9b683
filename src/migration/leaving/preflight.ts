/** The first step: whatever keeps the program from moving is found before anything is touched, all of it at once. */
import { mkdirSync } from 'node:fs';
import { criuLogOf } from '../../config';
import { CriuWorker } from '../../criu/worker';
import { MigrunError } from '../../errors';
import type { HostAddresses } from '../../kinds/ends';
import type { Facts } from '../../kinds/kind';
import { look, needsOf, peersOf, quiesce, refuse } from '../../kinds/look';
import type { Arrival } from '../../protocol/control/index';
import { QUIESCE_TIMEOUT_MS } from '../../times';
import { type Reason, reasonOfError, reasonsOfPeers, refusal } from '../../vocabulary/refusal';
import type { Departure } from './departure';

type Examines = Pick<Departure, 'program' | 'kinds' | 'peers' | 'folder'>;

/**
 * Asks for all reasons at once and throws them. `askElsewhere` gives those that come from where the program is to go.
 */
export async function examine(
  { program, kinds, peers, folder }: Examines,
  askElsewhere: (facts: Facts) => Promise<Reason[]>,
): Promise<Facts> {
  const facts = look(program);
  const reasons = refuse(facts);
  peers.connections = peersOf(facts);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const askPeers = async (): Promise<Reason[]> => {
    const answers = await peers.introduce(peers.connections);
    return reasonsOfPeers(answers.filter((peer) => peer.status !== 'ok' && !kinds.excuses(peer, facts.waiting)));
  };
  // Reasons are listed in this order: those of the program itself, of its peers, of where it is to go.
  const questions = [quiesce(program.cgroup, QUIESCE_TIMEOUT_MS), askPeers(), askElsewhere(facts)];
  for (const asked of await Promise.allSettled(questions)) {
    if (asked.status === 'fulfilled') reasons.push(...asked.value);
    else if (asked.reason instanceof MigrunError) reasons.push(reasonOfError(asked.reason));
    else throw asked.reason;
  }
  if (reasons.length > 0) throw refusal(reasons);
  return facts;
}

/** What the dump needs is made ready. */
export async function startCriu({ migration, tools, folder }: Pick<Departure,
  'migration' | 'tools' | 'folder'>): Promise<CriuWorker>
{
  const criu = new CriuWorker(tools.config.criu, folder, criuLogOf(tools.config, migration));
  await criu.warm().catch((error: unknown) => {
    void criu.close();
    throw error;
  });
  return criu;
}

export function undoExamine(departure: Departure): void {
  void (departure.criu as CriuWorker | undefined)?.close();
  departure.removeFolder();
}

/** What the target is to judge. */
export function describeArrival(
  { migration, program, addresses }: Pick<Departure, 'migration' | 'program' | 'addresses'>,
  facts: Facts,
  host: HostAddresses,
): Arrival {
  return {
    migration,
    program: program.summary,
    addresses: [...addresses],
    needs: needsOf(facts, host),
    checkpoint: null,
  };
}
