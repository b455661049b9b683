'use strict';

/**
 * proxy.js PORT TARGET_PORT FILE TEXT DIRECTION: a way to the agent of this host that stops at one point.
 *
 * Once FILE contains TEXT (any file does where TEXT is empty), the next bytes in DIRECTION ("there" from the source,
 * "back" from the target) are held, and "held" is printed: all that was said before has arrived, and the next message
 * has not. A line on stdin says what becomes of that connection: "release" or "cut". Later connections are not held.
 */
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const { connect, createServer } = require('node:net');

const [port, targetPort, file, text, direction] = process.argv.slice(2);
let held;

/** FILE may be a folder and a suffix, "folder/*.suffix". */
function isTime() {
  const [folder, suffix] = file.split('/*');
  try {
    if (suffix !== undefined) return readdirSync(folder).some((name) => name.endsWith(suffix));
    return existsSync(file) && readFileSync(file, 'utf8').includes(text);
  } catch {
    return false;
  }
}

function copy(from, to, mayHold, cut) {
  let pieces;
  from.on('data', (data) => {
    if (pieces === undefined && mayHold && held === undefined && isTime()) {
      pieces = [];
      const release = () => {
        for (const piece of pieces.splice(0)) to.write(piece);
        pieces = undefined;
      };
      held = { release, cut };
      console.log('held');
    }
    // It goes on being read: the other side is to see the end of it.
    if (pieces !== undefined) pieces.push(data);
    else if (!to.destroyed) to.write(data);
  });
  from.on('close', () => to.destroySoon());
  from.on('error', () => to.destroy());
}

createServer((source) => {
  const target = connect({ host: '127.0.0.1', port: Number(targetPort) });
  const cut = () => {
    source.destroy();
    target.destroy();
  };
  source.setNoDelay(true);
  target.setNoDelay(true);
  copy(source, target, direction === 'there', cut);
  copy(target, source, direction === 'back', cut);
}).listen(Number(port), () => console.log('ready'));

process.stdin.on('data', (data) => held[String(data).trim()]());
process.stdin.on('end', () => process.exit());
