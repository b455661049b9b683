'use strict';

/**
 * Address translation as Zap does it for a program that has moved: an alias address that the client goes on using, and a
 * rule on the server's host that turns it into the host's own.
 */

const { addressOf } = require('./network');

const ALIAS = '10.0.0.1';
const SERVER = 'hostF';
const CLIENT = 'hostE';

/** The alias on the server's host, and the client's way there. */
async function addAlias(lab) {
  await lab.run(SERVER, 'ip', 'address', 'replace', `${ALIAS}/32`, 'dev', 'eth0');
  await lab.run(CLIENT, 'ip', 'route', 'replace', ALIAS, 'via', addressOf(SERVER));
}

/** The server's host has this and no other rule. In one transaction: no packet ever sees half of it. */
async function setRules(lab, ruleset) {
  await lab.run(SERVER, 'bash', '-c', 'nft -f - <<<"$0"', `flush ruleset\n${ruleset}`);
}

/** A chain of nft(8). One of type nat is asked for a connection's first packet alone, one of type filter for each packet. */
const NAT_PRIORITY = { prerouting: -100, input: 100, output: -100, postrouting: 100 };

function chain(type, hook, rules) {
  return `table ip ${type} {\n chain ${hook} {\n  type ${type} hook ${hook} priority ${
    type === 'nat' ? NAT_PRIORITY[hook] : 0
  };\n${rules.map((rule) => `  ${rule}\n`).join('')} }\n}\n`;
}

const TRANSLATION = `ip daddr ${ALIAS} dnat to ${addressOf(SERVER)}`;

module.exports = { ALIAS, CLIENT, SERVER, TRANSLATION, addAlias, chain, setRules };
