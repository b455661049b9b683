/**
 * Every time that migrun waits, and why it is as long as it is. Which must be longer than which is in
 * test/times.test.ts.
 *
 * A *deadline* is how much silence of a peer ends a question to it: each part of an answer begins it anew. A *timeout*
 * ends a wait. An *interval* lies between two tries. Most are chosen for a host that has no CPU to spare, where an
 * agent that runs well may say nothing for seconds; where all is idle, what they wait for takes milliseconds.
 *
 * C has a few of its own: kPtraceTimeoutMs (native/addon/freeze.cc), which is PEER_FREEZE_TIMEOUT_MS; how long a
 * segment may take over the loopback (native/udp/queue.c, native/accept/time_wait.c); how often cgroup.events is looked
 * at (native/freeze/cgroup.c); and TCP's own limits (native/tcp/user_timeout.c).
 */

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

// Leases and holds.

/**
 * How long a peer's lock lasts where it hears no more of us, and our own locks likewise: all go on by themselves then.
 * So long a peer stands still whose program's host died.
 */
export const LEASE_MS = 10_000;
/** Decides from 2,500 connections on: on a busy host it takes long to lock many, and to hear of it. */
const LEASE_PER_CONNECTION_MS = 4;
/** A longer lock is a hold, which costs more: a shorter one TCP bears by itself. */
export const LONGEST_LEASE_MS = 40_000;

export function leaseFor(connections: number): number {
  return Math.min(Math.max(LEASE_MS, LEASE_PER_CONNECTION_MS * connections), LONGEST_LEASE_MS);
}

/** A third, so that a renewal may be put off once: while a LOCK is unanswered, none is sent. */
export function renewalInterval(leaseMs: number): number {
  return leaseMs / 3;
}

/** A peer counts its lease from when it was told, we from when we told it: so much later it is over there too. */
export const LEASE_MARGIN_MS = 500;

export const SHORTEST_HOLD_MS = 1_000;
export const DEFAULT_HOLD_MS = HOUR_MS;
/** No lease is longer, whoever asks for it: a host that is gone for a week does not come back. */
export const LONGEST_HOLD_MS = 7 * DAY_MS;

/**
 * How long the peers keep what they hold for one restore. Where its host is killed, another restore waits so long;
 * where its transfer takes longer, another one may overtake it.
 */
export const CLAIM_MS = 30_000;
/** No claim is longer, however long a restore asks for. */
export const LONGEST_CLAIM_MS = 10 * 60_000;

// The freeze.

/** A program that does not stand still by then runs on: it stays, or, where it has moved, its peers stay late. */
export const FREEZE_TIMEOUT_MS = 2_000;
/**
 * How long the freeze of a program may take that was just restored and has not run: giving up would cost the whole
 * move.
 */
export const RESTORED_FREEZE_TIMEOUT_MS = 5_000;
/**
 * How long a peer's program may take to stand still for its rebind. Its agent does nothing else meanwhile; the peer is
 * asked again.
 */
export const PEER_FREEZE_TIMEOUT_MS = 1_000;
/**
 * A network device that has not sent a packet by then is not about to: what is left is a datagram in parts (MSG_MORE).
 */
export const UNSENT_TIMEOUT_MS = 100;
/** For the last bytes of connections that the program has closed: before the freeze, while it runs ... */
export const QUIESCE_TIMEOUT_MS = 5_000;
/** ... and while it stands still: what it closed just before has mostly arrived by then. */
export const LAST_QUIESCE_TIMEOUT_MS = 1_000;

// Peers.

/** A question whose answer is one look-up away is asked again after this, then at intervals that double ... */
export const ASK_INTERVAL_MS = 20;
/** ... up to this. */
export const LONGEST_ASK_INTERVAL_MS = 500;
/**
 * The first interval of HELLO and INTRODUCE, which are not urgent, and for which the other side looks through all its
 * processes: after 20 ms, a thousand connections were nearly all asked for four times before the first answer.
 */
export const INTRODUCE_INTERVAL_MS = 150;
/**
 * Between two such looks: twice as long as the last one took, so that looking never fills the day, but in these bounds.
 */
export const SHORTEST_LOOK_INTERVAL_MS = 2;
export const LONGEST_LOOK_INTERVAL_MS = 100;
/**
 * How long connections to one address wait for the first of them to learn the agent's key there: it saves each a round.
 */
export const HELLO_HEAD_START_MS = 100;

/** After 1.5 s, agents that ran were taken for missing (a load of 20 on two CPUs). What takes longer has no agent. */
export const HELLO_DEADLINE_MS = 5_000;
/** HELLO where somebody only looks (migrun inspect): a peer that is shown without an agent does no harm. */
export const INSPECT_DEADLINE_MS = 1_500;
/** The least for INTRODUCE: that agent has answered a HELLO just now, and may have many processes to look through. */
export const INTRODUCE_DEADLINE_MS = 10_000;
/** Nothing stands still for a LOCK: the dump goes on meanwhile. */
export const LOCK_DEADLINE_MS = 5_000;
/** What a peer says that it needs to lock one connection: ten times what it takes where nothing else runs. */
export const LOCK_WORK_PER_CONNECTION_MS = 1;
/** Work that takes less is not announced. */
export const LEAST_ANNOUNCED_WORK_MS = 100;
/** A peer that says it works is borne with so long at most. */
export const LONGEST_WORK_MS = 120_000;
/** If nobody answers a CANCEL, the lease does the same. */
export const CANCEL_DEADLINE_MS = 2_000;
/** The CANCEL of a hold, which no short lease would end. */
export const CANCEL_HOLD_DEADLINE_MS = 5_000;

/**
 * RESUME, while the program runs at its target, or stands still for `migrun resume`. One that is read later is followed
 * too.
 */
export const RESUME_DEADLINE_MS = 5_000;
/** RESUME, while the program waits frozen for its peers: many times what a message needs that was lost on its way. */
export const PROMPT_DEADLINE_MS = 300;
/** RESUME to peers that are late, again and again: how long one that has answered may wait for another that has not. */
export const LATE_DEADLINE_MS = 500;
/** RESUME from a supervisor that takes over after a crash: nobody is late then, a silent peer is let go. */
export const PICK_UP_DEADLINE_MS = 3_000;
/** A peer answers RESUME in stretches of about this: who asks takes a long silence for the end. */
export const RESUME_STRETCH_MS = 100;
/** The target tells the peers too, and is mostly the first; twice the work for everybody would take longer. */
export const TARGET_HEAD_START_MS = 30;

export const CLAIM_DEADLINE_MS = 5_000;
/** If nobody answers, the claim ends by itself. */
export const GIVE_BACK_DEADLINE_MS = 2_000;

// Between hosts.

/** For all of it, from the look-up of the name to the other side's hello. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** How long a connection may take to show the key at the door: until then it has the place of a stranger. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** What is queued on a channel that ends gets so long to leave. */
export const CLOSE_TIMEOUT_MS = 5_000;
/** A host that dies without a word is noticed about ten seconds after this. */
export const KEEP_ALIVE_MS = 5_000;

/** The target's agent starts a supervisor for the program. */
export const OPEN_TIMEOUT_MS = 10_000;
/** How long that supervisor waits for the source's first word. */
export const ARRIVAL_TIMEOUT_MS = 10_000;
/** The target looks at what the program needs, and starts a CRIU. */
export const JUDGE_TIMEOUT_MS = 10_000;
/** The target writes one small file. Where no answer comes, its agent is asked how it ended. */
export const COMMIT_TIMEOUT_MS = 10_000;
/** In a restore the target asks the peers as well, at both times. */
export const RESTORE_JUDGE_TIMEOUT_MS = 30_000;
export const RESTORE_COMMIT_TIMEOUT_MS = 30_000;

/**
 * How a commit ended is asked until there is an answer: the program stands still, so soon at first; then at doubling
 * intervals ...
 */
export const OUTCOME_INTERVAL_MS = 50;
/** ... up to this, since a host may be down for long. */
export const LONGEST_OUTCOME_INTERVAL_MS = 5_000;
export const OUTCOME_TIMEOUT_MS = 5_000;

// The agent of this host.

/** It gives up by itself where a peer is silent; this is for one that hangs. */
export const AGENT_TIMEOUT_MS = 30_000;
const AGENT_TIMEOUT_PER_CONNECTION_MS = 10;

/** How long it may take to speak to the peers of so many connections. */
export function agentTimeout(connections: readonly unknown[]): number {
  return AGENT_TIMEOUT_MS + AGENT_TIMEOUT_PER_CONNECTION_MS * connections.length;
}

/** A claim asks one peer, then all others at once; an answer may come in parts. */
export function claimTimeout(deadlineMs: number): number {
  return 4 * deadlineMs;
}

/** What the command line asks it about this host alone. */
export const COMMAND_TIMEOUT_MS = 10_000;
/** `migrun suspend`: HELLO, LOCK, and CANCEL where that fails. A command that gives up leaves the agent at it. */
export const SUSPEND_TIMEOUT_MS = 60_000;

// Who supervises a program.

/** A supervisor that is just ending has let go by then. */
export const TAKE_TIMEOUT_MS = 5_000;
/** A program that is still supervised after this time has another supervisor already. */
export const SUPERVISED_TIMEOUT_MS = 100;
/** A supervisor that lived longer than this has not failed. */
export const STEADY_MS = 10_000;

// The console.

/**
 * How often a console tries again to reach its program, and the interval before the first time; each later one is
 * doubled.
 */
export const CONSOLE_RETRIES = 8;
export const CONSOLE_INTERVAL_MS = 50;
export const OPEN_CONSOLE_TIMEOUT_MS = 5_000;
/** How long a program that has ended waits for its console to fetch its status. */
export const FAREWELL_TIMEOUT_MS = 10_000;
/** Before a checkpoint: a console that takes nothing for so long gets again from the next one what it was sent. */
export const CONSOLE_SETTLED_TIMEOUT_MS = 2_000;
/** Between two batches of reports: a small program runs again before a person could read one. */
export const PROGRESS_INTERVAL_MS = 100;

// Cleaning up.

/** A process that was killed is gone long before this. */
export const REMOVE_TIMEOUT_MS = 5_000;
/** "aborted" is also what an agent answers where it finds nothing, so that file may go; "committed" never may. */
export const KEEP_ABORTED_MS = 7 * DAY_MS;
