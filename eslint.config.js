'use strict';

const js = require('@eslint/js');
const tseslint = require('typescript-eslint');

/** Only one file ends the process: elsewhere that would cut off undo steps, and lose what is still to be written. */
const processExit = {
  object: 'process',
  property: 'exit',
  message: 'Only src/cli/main.ts ends the process: throw an error with a code.',
};

/** What a time is: a constant, or a number given where milliseconds are expected. 0 is none. */
const TIMES = [
  'VariableDeclarator[id.name=/_(MS|SECONDS)$/]',
  ':matches(Property[key.name=/Ms$/], AssignmentPattern[left.name=/Ms$/], PropertyDefinition[key.name=/Ms$/]) > Literal[value>0]',
  'CallExpression:matches([callee.name=/^(setTimeout|setInterval|sleep)$/], [callee.property.name="after"]) > Literal[value>0]',
];
const timeElsewhere = TIMES.map((selector) => ({
  selector,
  message: 'Times are in src/times.ts, each with its reason; how they stand to each other is in test/times.test.ts.',
}));

module.exports = tseslint.config(
  { ignores: ['dist/', 'build/', 'prebuilds/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: {
        require: 'readonly',
        module: 'writable',
        process: 'readonly',
        console: 'readonly',
        __dirname: 'readonly',
      },
    },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'tools/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: __dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 260, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-restricted-properties': ['error', processExit],
      'no-restricted-syntax': ['error', ...timeElsewhere],
    },
  },
  { files: ['src/times.ts'], rules: { 'no-restricted-syntax': 'off' } },
  { files: ['src/cli/main.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    // A test file is one long list of cases, and the shape of what it reads from a child is its own affair.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
