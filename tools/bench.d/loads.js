'use strict';

/** What a pair of programs does with its connection: the test programs that repeat a batch of it when they are asked. */

/** Requests and their responses, MIGSOCK II's client3 and server3. A batch is so many packets; a unit is one there and back. */
function echo(bytes) {
  return {
    server: (port) => ['echo_server', '0.0.0.0', port, String(bytes)],
    client: (address, port) => ['echo_client', address, port, '-', String(bytes)],
    ask: (packets) => String(packets),
    read: (line) => Number(/ in ([\d.]+) ms/.exec(line)[1]),
  };
}

/** Full speed both ways at once. A batch is `mib` MiB each way; a unit is one MiB each way. */
function bulk(mib) {
  return {
    server: (port) => ['bulk_server', '-r', port, String(mib)],
    client: (address, port) => ['bulk_client', '-r', address, port, String(mib)],
    ask: () => '',
    read: (line) => Number(/ in ([\d.]+) ms/.exec(line)[1]),
  };
}

module.exports = { bulk, echo };
