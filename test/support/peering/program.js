'use strict';

/** A program with TCP connections, which does as it is told and keeps what it receives. */

const { Buffer } = require('node:buffer');
const net = require('node:net');
const { createHash } = require('node:crypto');
const serve = require('../serve');

const connections = [];
let change = () => undefined;

function add(socket) {
  const connection = { socket, pieces: [], length: 0, ended: false, error: null };
  connections.push(connection);
  socket.setNoDelay(true);
  socket.on('data', (piece) => {
    connection.pieces.push(piece);
    connection.length += piece.length;
    change();
  });
  socket.on('end', () => {
    connection.ended = true;
    change();
  });
  socket.on('error', (error) => {
    connection.error = error.code;
    change();
  });
  change();
}

/** Resolves once `condition` holds. */
function until(condition) {
  return new Promise((resolve) => {
    change = () => condition() && resolve();
    change();
  });
}

const ends = ({ socket }) => ({
  local: { address: socket.localAddress, port: socket.localPort },
  remote: { address: socket.remoteAddress, port: socket.remotePort },
});

let server;

serve({
  listen: (address) =>
    new Promise((resolve) => {
      server = net.createServer({ allowHalfOpen: true }, add).listen(0, address, () => resolve(server.address().port));
    }),
  async connect(address, port, count) {
    for (let made = 0; made < count; made += 1) {
      await new Promise((resolve, reject) => {
        const socket = net.connect({ host: address, port, allowHalfOpen: true }, () => resolve(add(socket)));
        socket.once('error', reject);
      });
    }
    return connections.map(ends);
  },
  async accepted(count) {
    await until(() => connections.length >= count);
    return connections.map(ends);
  },
  /** Resolves when the kernel has all of it. */
  write: (index, data) => new Promise((resolve) => void connections[index].socket.write(data, () => resolve())),
  pause: (index) => void connections[index].socket.pause(),
  read: (index) => void connections[index].socket.resume(),
  end: (index) => void connections[index].socket.end(),
  async received(index, length) {
    const connection = connections[index];
    await until(() => connection.length >= length || connection.ended || connection.error !== null);
    const data = Buffer.concat(connection.pieces);
    return { length: data.length, hash: createHash('sha256').update(data).digest('hex'), error: connection.error };
  },
  async ended(index) {
    await until(() => connections[index].ended || connections[index].error !== null);
    return connections[index].error;
  },
  text: (index) => Buffer.concat(connections[index].pieces).toString(),
});
