'use strict';

// A host of the in-band tests: what its parent can call, and each segment that comes.

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const net = require('node:net');
const { join } = require('node:path');
const native = require('node-gyp-build')(join(__dirname, '..', '..', '..'));
const serve = require('../../support/serve');

const endpoints = new Map();
let connection;
let received = 0;
let hash = createHash('sha256');

function use(socket) {
  connection = socket;
  received = 0;
  hash = createHash('sha256');
  socket.on('data', (bytes) => {
    received += bytes.length;
    hash.update(bytes);
  });
  socket.on('error', (error) => process.send({ error: { message: error.message } }));
  return {
    fd: socket._handle.fd,
    local: { address: socket.localAddress, port: socket.localPort },
    remote: { address: socket.remoteAddress, port: socket.remotePort },
  };
}

const calls = {
  openInband(family) {
    endpoints.set(family, native.openInband(family, (segment) => process.send({ segment })));
  },
  closeInband(family) {
    endpoints.get(family).close();
  },
  send(family, segment, times = 1) {
    for (let i = 0; i < times; i++) endpoints.get(family).send(segment);
  },
  async listen(address) {
    const server = net.createServer();
    server.listen(0, address);
    await once(server, 'listening');
    calls.accepted = once(server, 'connection').then(([socket]) => {
      server.close();
      return use(socket);
    });
    return server.address().port;
  },
  accept: () => calls.accepted,
  async connect(address, port) {
    const socket = net.connect(port, address);
    await once(socket, 'connect');
    return use(socket);
  },
  // Resolves when all is in the kernel's hands.
  write: (bytes) => new Promise((resolve) => connection.write(bytes, () => resolve())),
  // Resolves to a hash of the stream's first `length` bytes, when they are here.
  async digest(length) {
    while (received < length) await once(connection, 'data');
    return { received, hash: hash.copy().digest('hex') };
  },
  end: () => void connection.destroy(),
  routeSource: (address) => native.socketRouteSource(address),
};

serve(calls);
