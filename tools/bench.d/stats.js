'use strict';

/** The value below which the share `q` of `values` lies, interpolated between neighbours. */
function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

function median(values) {
  return quantile(values, 0.5);
}

/** Median, quartiles, and the values themselves. */
function summary(values) {
  return { median: median(values), q1: quantile(values, 0.25), q3: quantile(values, 0.75), values };
}

/** Average, variance (of a sample: n - 1) and standard deviation; the variance of one value is 0. */
function moments(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(values.length - 1, 1);
  return { count: values.length, mean, variance, deviation: Math.sqrt(variance) };
}

/** Numbers from 0 to 1, the same ones each time (mulberry32): an interval is a function of its values alone. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const RESAMPLES = 1000;

/**
 * The median over all groups of values, and the interval in which 95 of 100 repetitions of the whole measurement would
 * have it. Values of one group (one set of processes) may share what other groups do not have, so the bootstrap draws
 * groups first and then values within each.
 */
function estimate(groups) {
  const random = generator(1);
  const draw = (from) => from[Math.floor(random() * from.length)];
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(groups.flatMap(() => {
      const group = draw(groups);
      return group.map(() => draw(group));
    })));
  return { median: median(groups.flat()), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

/** estimate() of what `combine` makes of the values that were measured next to each other; both in the same groups. */
function estimateOf(groups, others, combine) {
  return estimate(groups.map((group, at) => group.map((value, index) => combine(value, others[at][index]))));
}

/** How much y grows with x: the median of the slopes between all two points (Theil, Sen), which no outlier moves. */
function slope(points) {
  const slopes = points.flatMap(([x, y], at) =>
    points.slice(at + 1).filter(([other]) => other !== x).map(([other, height]) => (height - y) / (other - x))
  );
  return median(slopes);
}

/**
 * The line base + each * x that fits best where an error counts by its share of y: a y that is a thousand times another
 * is as far off as that, no more. `off` is the largest such share.
 */
function line(points) {
  const sums = { one: 0, x: 0, xx: 0, y: 0, xy: 0 };
  for (const [x, y] of points) {
    const weight = 1 / (y * y);
    sums.one += weight;
    sums.x += weight * x;
    sums.xx += weight * x * x;
    sums.y += weight * y;
    sums.xy += weight * x * y;
  }
  const each = (sums.one * sums.xy - sums.x * sums.y) / (sums.one * sums.xx - sums.x * sums.x);
  const base = (sums.y - each * sums.x) / sums.one;
  return { base, each, off: Math.max(...points.map(([x, y]) => Math.abs(base + each * x - y) / y)) };
}

module.exports = { estimate, estimateOf, line, median, moments, quantile, slope, summary };
