'use strict';

/** What the demo says: plain text, with colours only where a terminal reads it. */

const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code, text) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);

class Report {
  constructor() {
    this.failed = 0;
  }

  line(text = '') {
    process.stdout.write(text === '' ? '\n' : `   ${text}\n`);
  }

  heading(text) {
    process.stdout.write(`\n${paint('1', text)}\n\n`);
  }

  /** Columns as wide as their widest cell; those in `right` are numbers. */
  table(rows, right = () => false) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    for (const row of rows) {
      this.line(
        row.map((cell, column) => (right(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join(
          '  ',
        ).trimEnd(),
      );
    }
  }

  /** A statement, and whether it is true; where it is not, `instead` says what is so. */
  check(claim, holds, instead = '') {
    if (!holds) this.failed++;
    const verdict = holds ? paint('32', 'ok') : paint('1;31', 'FAILED');
    this.line(`${verdict}${' '.repeat(holds ? 6 : 2)}${claim}${holds || instead === '' ? '' : `: ${instead}`}`);
  }

  /** The statement that a list is empty; where it is not, its entries are shown. */
  checkNothing(claim, entries) {
    this.check(claim, entries.length === 0, entries.join('; '));
  }
}

module.exports = { Report };
