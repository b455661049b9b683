/** Asks RESUME: the peers' connections follow to where the program is now. */

import type { MovedConnection, PeerAnswer, PeerStatus, ResumeRequest } from '../../../protocol/control/index';
import { RESUME_ENTRIES, splitIntoParts } from '../../../protocol/inband';
import type { Resume, Resumed, ResumeEntry } from '../../../protocol/inband';
import { connectionName, onTheWire } from '../../../vocabulary/endpoint';
import type { AskedMigrations, Party } from '../asked-migrations';

type MovedWithToken = MovedConnection & { readonly token: string };
type ResumePart = Pick<Resume, 'address' | 'peerAddress' | 'entries'>;

/** As target: once the sockets are revived there. The sockets that it is asked on must be locked. */
export async function askResume(migrations: AskedMigrations, request: ResumeRequest): Promise<PeerAnswer[]> {
  const { migration, role, tickets, moved } = request;
  if (role === 'target') migrations.adopt(migration, tickets);
  const parties = migrations.parties(role, migration);
  const movedOf = new Map(parties.map((party) => [party, [] as MovedWithToken[]]));
  const known = new Map(
    parties.flatMap((party) => [...party.affected].map(([name, { token }]) => [name, { party, token }])),
  );
  const found = moved.map((each) => {
    const at = known.get(connectionName(each.connection));
    if (at !== undefined) movedOf.get(at.party)?.push({ ...each, token: at.token });
    return at;
  });
  const answered = new Map(
    await Promise.all([...movedOf].map(async ([party, some]) =>
      [party, await resumeAt(migrations, party, some, request)] as const
    )),
  );
  return moved.map(({ connection }, index) => {
    const at = found[index];
    return { connection, status: (at && answered.get(at.party)?.get(at.token)) ?? 'no-agent' };
  });
}

/** By token. */
async function resumeAt(
  migrations: AskedMigrations,
  { move }: Party,
  moved: readonly MovedWithToken[],
  { migration, group, role, deadlineMs }: ResumeRequest,
): Promise<Map<string, PeerStatus>> {
  if (moved.length === 0) return new Map();
  const parts = resumeParts(moved);
  const { answers } = await migrations.converse<Resumed>(move, {
    deadlineMs,
    requests: parts.length,
    carriers: moved.map(({ connection, to }) => (role === 'source' ? connection : to)),
    request: (part) => move.seal({ type: 'resume', migration, group, ...parts[part]!, part, parts: parts.length }),
    onAnswer: (message, conversation) => {
      if (message.type !== 'resumed') return;
      if (!namesSame(message.entries, parts[message.part]?.entries)) return;
      conversation.accept(message.part, 0, 1, message);
    },
  });
  return new Map(answers.flat().flatMap(({ entries }) => entries.map(({ token, status }) => [token, status])));
}

/** The addresses are a part's; connections may have moved to more than one. */
function resumeParts(moved: readonly MovedWithToken[]): ResumePart[] {
  const byAddresses = new Map<string, { address: string; peerAddress: string; entries: ResumeEntry[] }>();
  for (const { to, token, peerHas } of moved) {
    const { local, remote } = onTheWire(to);
    const name = `${local.address} ${remote.address}`;
    const part = byAddresses.get(name) ?? { address: local.address, peerAddress: remote.address, entries: [] };
    part.entries.push({ token, port: local.port, peerHas });
    byAddresses.set(name, part);
  }
  return [...byAddresses.values()].flatMap(({ entries, ...addresses }) =>
    splitIntoParts(entries, RESUME_ENTRIES).map((part) => ({ ...addresses, entries: part.entries }))
  );
}

function namesSame(answered: readonly { token: string }[], asked: readonly { token: string }[] | undefined): boolean {
  return answered.length === asked?.length && answered.every(({ token }, index) => token === asked[index]?.token);
}
