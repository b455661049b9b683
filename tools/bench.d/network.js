'use strict';

/**
 * The benchmark's hosts, and a network between them that adds as little of its own as it can.
 *
 * Congestion control is Reno on all of them: BBR, where the machine has it as its default, paces a stream by its own
 * estimate of a bandwidth that here is nothing but the CPU's, and the same exchange takes once 1.7 and once 6 ms a MiB.
 * The bridge does not pass packets to netfilter, which bridge-nf-call-iptables would let it do.
 */

/** A, B, C run migrun; D and E never see it; F translates addresses; G has a proxy. */
const HOSTS = 7;
const NAMES = Array.from({ length: HOSTS }, (_, index) => `host${'ABCDEFG'[index]}`);
const SETTINGS = 'cd /proc/sys/net/ipv4; echo reno >tcp_congestion_control; echo 0 >tcp_slow_start_after_idle';

async function quieten(lab) {
  for (const host of NAMES) await lab.run(host, 'sh', '-e', '-c', SETTINGS);
  // The folder is there only where the kernel has br_netfilter.
  const off = 'cd /proc/sys/net/bridge 2>/dev/null || exit 0; for one in bridge-nf-call-*tables; do echo 0 >$one; done';
  await lab.finish(lab.spawn('nsenter', [`--net=${lab.namespace('bridge', 'net')}`, 'sh', '-c', off]));
}

/** A host's address, as tools/lab gives them out. */
function addressOf(host) {
  return `10.77.0.${NAMES.indexOf(host) + 1}`;
}

/** An agent on each of these hosts, started once. */
async function startAgents(lab, hosts) {
  lab.agents ??= new Set();
  for (const host of hosts.filter((name) => !lab.agents.has(name))) {
    await lab.start(host, 'migrun', 'agent').says(/agent started/);
    lab.agents.add(host);
  }
}

module.exports = { HOSTS, addressOf, quieten, startAgents };
