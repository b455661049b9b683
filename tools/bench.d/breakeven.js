'use strict';

/**
 * Section 6.3: a migration costs time once, a translation or a proxy costs time with each packet. After how many packets
 * has the migration paid for itself?
 */

/**
 * What MIGSOCK II measured: its worst case in ms (table 6.1), and what a packet through DNAT took longer, there and
 * back, in us.
 */
const THESIS = { costMs: 7.65, savedUs: 3.1 };

/** Infinity: never, because nothing is saved. */
function packetsUntilEven(costMs, savedUs) {
  return savedUs > 0 ? (costMs * 1000) / savedUs : Infinity;
}

/** How many packets it takes where `saved` is an estimate with its interval: the more a packet saves, the fewer. */
function evenAfter(costMs, { median, low, high }) {
  return {
    packets: packetsUntilEven(costMs, median),
    fewest: packetsUntilEven(costMs, high),
    most: packetsUntilEven(costMs, low),
  };
}

/** What a migration costs, in ms: by what was measured in this run. */
function costs({ table61, blackout }) {
  const [, , connection] = table61.rows;
  const list = [
    { what: 'the connection alone, average', ms: connection.suspend.mean + connection.resume.mean },
    { what: 'the connection alone, worst case', ms: connection.worstCase },
  ];
  return blackout === undefined
    ? list
    : [...list, { what: 'the whole program, as its client sees it', ms: blackout[0].ours.median }];
}

/** Returns undefined where this run has not measured both sides. */
function breakEven(results) {
  const { table61, paths } = results;
  if (table61 === undefined || paths === undefined) return undefined;
  return costs(results).map(({ what, ms }) => ({
    what,
    ms,
    cases: paths.sizes.flatMap(({ bytes, saved }) =>
      saved.map(({ against, us }) => ({ bytes, against, ...evenAfter(ms, us) }))
    ),
  }));
}

module.exports = { THESIS, breakEven, evenAfter, packetsUntilEven };
