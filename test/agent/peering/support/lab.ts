import { execFileSync } from 'node:child_process';
import { Child } from './child';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });

/** Hosts A, B, C: 10.79.0.1, .2, .3 and fd79::1, ::2, ::3, network namespaces on one bridge. */
export class Lab {
  private readonly children: Child[] = [];
  private readonly prefix = `mgp_${process.pid}_`;

  constructor() {
    ip('netns', 'add', this.namespace('bridge'));
    ip('-n', this.namespace('bridge'), 'link', 'add', 'bridge', 'type', 'bridge', 'forward_delay', '0');
    ip('-n', this.namespace('bridge'), 'link', 'set', 'bridge', 'up');
    ['A', 'B', 'C'].forEach((host, index) => this.addHost(host, index + 1));
  }

  start(host: string, program: string): Child {
    const child = new Child(this.namespace(host), program);
    this.children.push(child);
    return child;
  }

  /** A slow line out of this host that drops what does not fit its short queue. */
  throttle(host: string): void {
    const shape = ['root', 'tbf', 'rate', '400mbit', 'burst', '16k', 'limit', '64k'];
    execFileSync('ip', ['netns', 'exec', this.namespace(host), 'tc', 'qdisc', 'replace', 'dev', 'eth0', ...shape]);
  }

  unthrottle(host: string): void {
    execFileSync('ip', ['netns', 'exec', this.namespace(host), 'tc', 'qdisc', 'del', 'dev', 'eth0', 'root']);
  }

  /** A setting of this host's kernel, below net.ipv4. */
  set(host: string, name: string, value: number): void {
    execFileSync('ip', ['netns', 'exec', this.namespace(host), 'sysctl', '-qw', `net.ipv4.${name}=${value}`]);
  }

  async endPrograms(): Promise<void> {
    await Promise.all(this.children.splice(0).map((child) => child.end()));
  }

  async remove(): Promise<void> {
    await this.endPrograms();
    for (const host of ['A', 'B', 'C', 'bridge']) ip('netns', 'del', this.namespace(host));
  }

  private namespace(host: string): string {
    return this.prefix + host;
  }

  private addHost(host: string, number: number): void {
    const name = this.namespace(host);
    const bridge = this.namespace('bridge');
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', host, 'netns', bridge);
    ip('-n', name, 'addr', 'add', `10.79.0.${number}/24`, 'dev', 'eth0');
    ip('-n', name, 'addr', 'add', `fd79::${number}/64`, 'dev', 'eth0', 'nodad');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', bridge, 'link', 'set', host, 'master', 'bridge', 'up');
  }
}
