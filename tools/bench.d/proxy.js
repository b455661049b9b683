'use strict';

/** A proxy in user space between client and server: socat, which copies the bytes of one connection to another. */

const { addressOf } = require('./network');

const HOST = 'hostG';

/** Starts a proxy from this port of its host to the same port of the server's. Resolves when the client can come; the proxy ends with it. */
async function startProxy(lab, port, server) {
  const running = lab.start(
    HOST,
    'socat',
    '-d',
    '-d',
    `TCP4-LISTEN:${port},nodelay`,
    `TCP4:${addressOf(server)}:${port},nodelay`,
  );
  await running.says(/ listening on /);
  return running;
}

module.exports = { HOST, startProxy };
