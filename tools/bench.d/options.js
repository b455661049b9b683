'use strict';

const { parseArgs } = require('node:util');
const { PARTS } = require('./parts');

const USAGE = `Usage: tools/bench [--only PART] [--runs N] [--full | --quick] [--json FILE] [--docs]
       tools/bench --redraw

  --only PART   ${Object.keys(PARTS).join(', ')}; may be given several times
  --runs N      this many runs of each part (default: each part's own number)
  --full        all counts that MIGSOCK II's chapter 6 has, and more runs: about an hour
  --quick       as little as possible of everything: to see that it works, not for its numbers
  --json FILE   all results, with every single value
  --docs        put the results into docs/
  --redraw      measure nothing: draw the figures of docs/chapter6.md again, from docs/chapter6.json
`;

/** What the command line asks for; throws where it cannot be had. */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: Object.keys(PARTS) },
      runs: { type: 'string' },
      full: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      docs: { type: 'boolean', default: false },
      redraw: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = values.only.find((part) => !Object.hasOwn(PARTS, part));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such part`);
  if (values.full && values.quick) throw new Error('--full and --quick: only one of them');
  if (values.redraw && args.length > 1) throw new Error('--redraw measures nothing: it goes with no other option');
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && (!Number.isInteger(runs) || runs < 1))
    throw new Error(`--runs ${values.runs}: not a number of runs`);
  const effort = values.full ? 'full' : values.quick ? 'quick' : 'usual';
  const { json, docs, redraw, help } = values;
  return { only: [...new Set(values.only)], runs, effort, json, docs, redraw, help };
}

module.exports = { USAGE, readOptions };
