'use strict';

/** old-agent.js KEYFILE PORT: an agent that has the cluster key, but speaks an older protocol. */
const { join } = require('node:path');
const { createServer } = require('node:tls');

const channel = join(__dirname, '../../../dist/protocol/channel');
const { presharedKey, readClusterKey, TLS_OPTIONS } = require(join(channel, 'cluster-key.js'));
const { encodeEnvelope, writeFrame } = require(join(channel, 'frames.js'));
const { CHANNEL_PROTOCOL } = require(join(channel, 'hello.js'));

const [keyFile, port] = process.argv.slice(2);
const { psk } = presharedKey(readClusterKey(keyFile));
const hello = { type: 'hello', protocol: CHANNEL_PROTOCOL - 1, version: '0.0.9', host: 'hostC' };

createServer({ ...TLS_OPTIONS, pskCallback: () => psk }, (socket) => {
  socket.on('error', () => undefined);
  writeFrame(socket, { kind: 'message', payload: encodeEnvelope({ kind: 'plain', id: 0, message: hello }) });
}).listen(Number(port), () => process.stdout.write('ready\n'));
