/**
 * The one daemon of a host, that is, of a network namespace. Over a UNIX socket supervisors tell it of their programs
 * and have it speak to the agents of peers; over TLS other hosts bring programs and come back to consoles. It starts
 * another supervisor for a program whose supervisor died.
 */
import { existsSync, type FSWatcher, mkdirSync, watch } from 'node:fs';
import type { Server } from 'node:net';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { native } from '../native/index';
import { Journal } from '../program/journal';
import { type Channel, type IncomingMessage, listen, type Listener, readClusterKey } from '../protocol/channel/index';
import { type AgentMessage, agentMessage, bindAbstract, hostMessage, listenLocal,
  serve } from '../protocol/control/index';
import { VERSION } from '../version';
import { Door } from './door';
import { Peering } from './peering/index';
import { Entrusted, Programs } from './programs';
import { Recovery } from './recovery';
import { resumeProgram, suspendProgram } from './suspend';

/** An agent that has this abstract name is the only one of its network namespace. */
const ONLY_ONE = '\0migrun-agent';

export class Agent {
  private readonly programs = new Programs();
  private readonly entrusted = new Entrusted();
  private readonly journal: Journal;
  private readonly recovery: Recovery;
  private peering: Peering | undefined;
  private listener: Listener | undefined;
  private control: Server | undefined;
  private onlyOne: Server | undefined;
  private keyWatch: FSWatcher | undefined;
  private key: Buffer | null = null;

  constructor(private readonly config: Config, private readonly log: Logger) {
    this.journal = new Journal(config.journalDir);
    this.recovery = new Recovery(config, log);
  }

  /** Throws E_AGENT_RUNNING, E_LISTEN. */
  async start(): Promise<void> {
    this.onlyOne = await becomeTheOnlyOne();
    this.journal.sweep();
    await this.open();
    this.control = await listenLocal(this.config.agentSocket, agentMessage, (channel) => this.serveLocal(channel));
    mkdirSync(dirname(this.config.clusterKeyFile), { recursive: true, mode: 0o700 });
    this.keyWatch = watch(dirname(this.config.clusterKeyFile), (_event, name) => {
      if (name === basename(this.config.clusterKeyFile)) void this.reopen();
    });
    this.recovery.start();
    this.log.info({ version: VERSION, port: this.listener?.port ?? null }, 'agent started');
  }

  stop(): void {
    this.recovery.stop();
    this.keyWatch?.close();
    this.control?.close();
    this.shut();
    this.onlyOne?.close();
  }

  /** Opens what needs the cluster key. A host without one follows migrations, but takes no programs. */
  private async open(): Promise<void> {
    this.key = this.readKey();
    this.programs.suspendedForMs = (group) => this.peering?.suspendedForMs(group);
    this.peering = new Peering({
      native,
      clusterKey: this.key,
      log: this.log,
      programs: this.programs,
      holdsDir: this.config.holdsDir,
    });
    if (this.key === null) return;
    const door = new Door(this.config, this.journal, this.log);
    this.listener = await listen({
      port: this.config.port,
      key: this.key,
      identity: { version: VERSION, host: hostname() },
      schema: hostMessage,
      onChannel: (arrived) => void door.admit(arrived),
      onRefused: (address, reason) => this.log.warn({ address, reason }, 'refused at the door'),
    });
  }

  private shut(): void {
    this.listener?.close();
    this.listener = undefined;
    this.peering?.close();
  }

  private async reopen(): Promise<void> {
    const key = this.readKey();
    if (key === null ? this.key === null : this.key?.equals(key) === true) return;
    this.log.info('the cluster key changed');
    this.shut();
    await this.open();
  }

  private readKey(): Buffer | null {
    if (!existsSync(this.config.clusterKeyFile)) return null;
    try {
      return readClusterKey(this.config.clusterKeyFile);
    } catch (error) {
      this.log.error({ err: error }, 'the cluster key cannot be used');
      return null;
    }
  }

  private serveLocal(channel: Channel<AgentMessage>): void {
    let registered: { id: string; group: string; cgroup: string } | undefined;
    const handle = async ({ message }: IncomingMessage<AgentMessage>): Promise<AgentMessage> => {
      switch (message.type) {
        case 'register':
          registered = { id: message.program.id, group: message.program.group, cgroup: message.cgroup };
          this.programs.register(message.program, message.cgroup);
          this.recovery.watch(message.program.id);
          return { type: 'done' };
        case 'update':
          this.programs.update(message.program, message.cgroup);
          return { type: 'done' };
        case 'list':
          return { type: 'listed', programs: this.programs.list() };
        case 'status': {
          const facts = { version: VERSION, port: this.listener?.port ?? null, peering: this.openPeering().facts() };
          return { type: 'status-is', facts };
        }
        case 'entrust':
          this.entrusted.entrust(message.program, message.pid, message.connections);
          return { type: 'done' };
        case 'entrusted':
          return { type: 'entrusted-are', pid: process.pid, connections: this.entrusted.of(message.program) };
        default:
          return this.askPeers(message);
      }
    };
    void channel.closed.then(() => {
      if (registered === undefined) return;
      this.programs.remove(registered.id);
      this.letPeersGoOn(registered);
    });
    void serve(channel, handle).catch((error: unknown) => this.log.debug({ err: error }, 'a local channel broke'));
  }

  /** Where a suspended program has ended, its peers are to hear of it now. */
  private letPeersGoOn({ group, cgroup }: { group: string; cgroup: string }): void {
    if (existsSync(cgroup) || this.peering?.suspendedForMs(group) === undefined) return;
    this.peering.resumeProgram(group).catch((error: unknown) =>
      this.log.warn({ err: error }, 'the hold of a suspended program outlives it')
    );
  }

  private async askPeers(message: AgentMessage): Promise<AgentMessage> {
    const peering = this.openPeering();
    switch (message.type) {
      case 'introduce':
        if (peering.suspendedForMs(message.group) !== undefined)
          return {
            type: 'introduced',
            peers: message.connections.map((connection) => ({ connection, status: 'suspended', agent: '', token: '' })),
          };
        return { type: 'introduced', peers: await peering.introduce(message) };
      case 'suspend-program':
        return {
          type: 'suspend-report',
          report: await suspendProgram(this.programs, peering, message.program, message.holdMs),
        };
      case 'resume-program':
        return { type: 'suspend-report', report: await resumeProgram(this.programs, peering, message.program) };
      case 'lock': {
        if (peering.suspendedForMs(message.group) !== undefined)
          throw new MigrunError('E_SUSPENDED', 'the program was suspended just now', {
            hint: 'go on with: migrun resume',
          });
        const peers = await peering.lock(message);
        return { type: 'locked', peers, tickets: peering.tickets(message.migration) };
      }
      case 'resume':
        return { type: 'resumed', peers: await peering.resume(message) };
      case 'claim':
        return { type: 'held', peers: await peering.claim(message) };
      case 'cancel':
        await peering.cancel(message);
        return { type: 'done' };
      default:
        throw new MigrunError('E_PROTOCOL', `the agent is not asked ${message.type}`);
    }
  }

  private openPeering(): Peering {
    if (this.peering === undefined) throw new MigrunError('E_NOT_RUNNING', 'the agent is starting');
    return this.peering;
  }
}

/** Throws E_AGENT_RUNNING. */
async function becomeTheOnlyOne(): Promise<Server> {
  const server = await bindAbstract(ONLY_ONE);
  if (server === undefined)
    throw new MigrunError('E_AGENT_RUNNING', 'an agent runs on this host already', {
      hint: 'see it with: migrun check',
    });
  return server.on('connection', (socket) => socket.destroy());
}
