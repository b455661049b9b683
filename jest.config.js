'use strict';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/support/environment.js',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['<rootDir>/test/smoke/'],
  transform: {
    '\\.[jt]s$': ['@swc/jest', {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    }],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
  // Nothing takes that long but what hangs; on a machine with ten times more to do than CPUs, seconds become half a minute.
  testTimeout: 180_000,
  // Migrations are timed: more workers than this only take the CPU from each other.
  maxWorkers: 2,
};
