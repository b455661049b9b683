'use strict';

/** The value below which the share `q` of `values` lies, interpolated between neighbours. */
function quantile(values, q) {
  const sorted = [...values].sort((one, other) => one - other);
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

module.exports = { median, summary };
