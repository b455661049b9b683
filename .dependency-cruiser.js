'use strict';

/**
 * The layers of src/, topmost first. Imports go down this list, never up; the files directly in src/
 * (errors, log, config, version) lie below all of them.
 */
const layers = ['cli', 'supervisor', 'agent', 'checkpoint', 'migration', 'kinds', 'program', 'protocol', 'criu',
  'native', 'vocabulary'];

const upward = layers.map((layer, depth) => ({
  name: `${layer}-looks-up`,
  comment: `src/${layer} may import only what stands below it: ${
    layers.slice(depth + 1).join(', ') || 'nothing'
  }, and the files in src/.`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${layers.slice(0, depth).join('|') || '(?!)'})/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...upward,
    {
      name: 'siblings',
      comment: 'A supervisor and an agent are separate processes: what both need belongs below them.',
      severity: 'error',
      from: { path: '^src/supervisor/' },
      to: { path: '^src/agent/' },
    },
    {
      name: 'agent-moves-nothing',
      comment:
        "An agent is there for the peers and supervisors of its host; to move a program is the supervisor's affair.",
      severity: 'error',
      from: { path: '^src/agent/' },
      to: { path: '^src/(checkpoint|migration)/' },
    },
    {
      name: 'command-line-moves-nothing',
      comment: 'Only `migrun restore` walks through steps of its own: its source is a file, which has no supervisor.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/commands/restore\\.ts$' },
      to: { path: '^src/migration/' },
    },
    {
      name: 'ground-looks-up',
      comment: 'errors, log, config and version know nothing of the rest.',
      severity: 'error',
      from: { path: '^src/[^/]+\\.ts$' },
      to: { path: '^src/[^/]+/' },
    },
    {
      name: 'unknown-layer',
      comment: 'A new folder in src/ needs its place in the list of layers.',
      severity: 'error',
      from: { path: `^src/(?!(?:${layers.join('|')})/)[^/]+/` },
      to: {},
    },
    { name: 'circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'not-a-dependency',
      comment: 'src/ runs where only "dependencies" are installed.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json', '.node'] },
  },
};
