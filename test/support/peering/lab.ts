import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Child } from '../child';
import { Namespace } from '../namespace';

/** Hosts A, B, C: 10.79.0.1, .2, .3 and fd79::1, ::2, ::3, network namespaces on one bridge. */
export class Lab {
  private readonly children: Child[] = [];
  private readonly hosts = new Map<string, Namespace>();

  private constructor(private readonly bridge: Namespace) {}

  static async create(): Promise<Lab> {
    const bridge = await Namespace.create();
    bridge.ip('link', 'add', 'bridge', 'type', 'bridge', 'forward_delay', '0');
    bridge.ip('link', 'set', 'bridge', 'up');
    const lab = new Lab(bridge);
    for (const [index, name] of ['A', 'B', 'C'].entries()) await lab.addHost(name, index + 1);
    return lab;
  }

  /** Starts a program beside this file on a host. */
  start(host: string, program: string): Child {
    const child = new Child(this.host(host), join(__dirname, program));
    this.children.push(child);
    return child;
  }

  /** A slow line out of this host that drops what does not fit its short queue. */
  throttle(host: string): void {
    this.host(host).run(
      'tc',
      'qdisc',
      'replace',
      'dev',
      'eth0',
      'root',
      'tbf',
      'rate',
      '400mbit',
      'burst',
      '16k',
      'limit',
      '64k',
    );
  }

  unthrottle(host: string): void {
    this.host(host).run('tc', 'qdisc', 'del', 'dev', 'eth0', 'root');
  }

  /** Bytes that this host's kernel has sent to this port, each counted once, however often it went out. */
  sentOnce(host: string, port: number): number {
    const [file, ...command] = this.host(host).within('ss', '-tinHO', `dport = :${port}`);
    const said = execFileSync(file, command, { encoding: 'utf8' });
    const sum = (name: string): number =>
      [...said.matchAll(new RegExp(` ${name}:(\\d+)`, 'g'))].reduce((total, [, bytes]) => total + Number(bytes), 0);
    return sum('bytes_sent') - sum('bytes_retrans');
  }

  /** A setting of this host's kernel, below net.ipv4. */
  set(host: string, name: string, value: number): void {
    this.host(host).run('sysctl', '-qw', `net.ipv4.${name}=${value}`);
  }

  async endPrograms(): Promise<void> {
    await Promise.all(this.children.splice(0).map((child) => child.end()));
  }

  async remove(): Promise<void> {
    await this.endPrograms();
    await Promise.all([...this.hosts.values(), this.bridge].map((namespace) => namespace.remove()));
  }

  private host(name: string): Namespace {
    return this.hosts.get(name)!;
  }

  private async addHost(name: string, number: number): Promise<void> {
    const host = await Namespace.create();
    this.hosts.set(name, host);
    host.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', name, 'netns', this.bridge.pid);
    host.ip('addr', 'add', `10.79.0.${number}/24`, 'dev', 'eth0');
    host.ip('addr', 'add', `fd79::${number}/64`, 'dev', 'eth0', 'nodad');
    host.ip('link', 'set', 'eth0', 'up');
    this.bridge.ip('link', 'set', name, 'master', 'bridge', 'up');
  }
}
