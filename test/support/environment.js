'use strict';

/**
 * jest's environment for Node.js, in which a test can find out while it runs that it cannot be tried here: skip() of
 * skip.ts. jest itself lets a test be skipped only before any has begun. Where jest should not take the state that is
 * set here any more, such a test fails by what skip() throws.
 */

const { TestEnvironment } = require('jest-environment-node');

module.exports = class extends TestEnvironment {
  #reasons = new WeakMap();

  handleTestEvent({ name, test, error }) {
    if (name === 'test_fn_failure' && error?.name === 'Skipped') this.#reasons.set(test, error.message);
    const reason = name === 'test_done' ? this.#reasons.get(test) : undefined;
    if (reason === undefined) return;
    test.status = 'skip';
    test.errors = [];
    test.name += ` (${reason})`;
  }
};
