'use strict';

/** The demo and the benchmark, each run as a user does: minutes of a whole machine, so they are no part of npm test. */

/** @type {import('jest').Config} */
module.exports = { ...require('./jest.config.js'), roots: ['<rootDir>/test/smoke'], testPathIgnorePatterns: [] };
