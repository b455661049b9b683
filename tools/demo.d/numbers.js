'use strict';

/** What `count_client -t` saw: each number with the time of its arrival, CLOCK_MONOTONIC. */

/** The time in milliseconds, on the clock that count_client -t uses. */
function now() {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** A line of count_client -t: microseconds and number. */
function parse(line) {
  const [at, number] = line.split(' ').map(Number);
  return { at: at / 1000, number };
}

/** Resolves once `client` has seen `count` more numbers than now. */
function more(client, count) {
  const wanted = client.lines.stdout.length + count;
  return client.until(({ lines }) => (lines.stdout.length >= wanted ? true : undefined));
}

/** The longest time between two numbers of which the second came after `since`; `at` is the second one's index. */
function longestGap(client, since) {
  const arrivals = client.lines.stdout.map(parse);
  let [ms, at] = [0, 0];
  for (let index = 1; index < arrivals.length; index++) {
    const gap = arrivals[index].at - arrivals[index - 1].at;
    if (arrivals[index].at > since && gap > ms) [ms, at] = [gap, index];
  }
  return { ms, at, arrivals };
}

/**
 * The first number, of a client or a server, that is not its predecessor plus one, the first of all being 0; undefined:
 * all are right.
 */
function firstWrong({ lines }) {
  return lines.stdout.map((line) => Number(line.split(' ').pop())).find((number, index) => number !== index);
}

module.exports = { firstWrong, longestGap, more, now };
