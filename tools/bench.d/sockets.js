'use strict';

/** One socket locked and saved, and revived and released: against MIGSOCK II. */

const { join } = require('node:path');
const { summary } = require('./stats');

/** MIGSOCK II's own measurement, table 6.1: one socket, suspend and save, restore and wake, in milliseconds. */
const MIGSOCK = { suspend: 1.53, restart: 2.79 };

async function sockets(lab, { runs }) {
  const { suspend, restart } = JSON.parse(
    await lab.run('hostA', process.execPath, join(__dirname, 'sockets-worker.js'), String(runs)),
  );
  const before = MIGSOCK.suspend + MIGSOCK.restart;
  return [
    {
      what: 'lock and save one socket',
      unit: 'ms',
      ours: summary(suspend),
      theirs: { what: 'MIGSOCK II, 2004', value: MIGSOCK.suspend },
    },
    {
      what: 'revive and release it',
      unit: 'ms',
      ours: summary(restart),
      theirs: { what: 'MIGSOCK II, 2004', value: MIGSOCK.restart },
    },
    {
      what: 'both',
      unit: 'ms',
      ours: summary(suspend.map((ms, run) => ms + restart[run])),
      theirs: { what: 'MIGSOCK II, 2004', value: before },
      target: { ratio: 1 },
    },
  ];
}

module.exports = { sockets };
