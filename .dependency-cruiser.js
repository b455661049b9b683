'use strict';

/**
 * The layers of src/, topmost first. Imports go down this list, never up; the files directly in src/
 * (errors, log, config, times, version) lie below all of them.
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

/** Rooms with an index.ts, which is all that others know of them. */
const rooms = ['agent/peering', 'protocol/channel', 'protocol/control', 'protocol/inband'];

const pastIndex = rooms.map((room) => ({
  name: `${room.replace('/', '-')}-past-index`,
  comment: `Outside of src/${room}, its index.ts alone is imported.`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${room}/` },
  to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
}));

/** Libraries of which one folder of src/ alone knows. */
const libraries = {
  commander: 'cli',
  'cli-table3': 'cli',
  'node-gyp-build': 'native',
  protobufjs: 'criu',
  'tar-stream': 'checkpoint',
};

const libraryElsewhere = Object.entries(libraries).map(([library, folder]) => ({
  name: `${library}-elsewhere`,
  comment: `src/${folder} alone imports ${library}: for all others it is what src/${folder} makes of it.`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${folder}/` },
  to: { path: `node_modules/${library}/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...upward,
    ...pastIndex,
    ...libraryElsewhere,
    {
      name: 'protocols-apart',
      comment: 'In-band messages and channels know nothing of each other; control is what is said over channels.',
      severity: 'error',
      from: { path: '^src/protocol/(channel|inband)/' },
      to: { path: '^src/protocol/', pathNot: '^src/protocol/$1/' },
    },
    {
      name: 'inband-does-io',
      comment: "src/protocol/inband is pure: sockets, files and timers are the agent's.",
      severity: 'error',
      from: { path: '^src/protocol/inband/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|net)$' },
    },
    {
      name: 'vocabulary-depends',
      comment: 'src/vocabulary does no I/O: it knows errors, schemas (zod), and how an address is written (node:net).',
      severity: 'error',
      from: { path: '^src/vocabulary/' },
      to: { pathNot: '^(src/vocabulary/|src/errors\\.ts$|node_modules/zod/|(node:)?net$)' },
    },
    {
      name: 'peering-looks-up',
      comment: 'src/agent/peering is a service of its own: the agent knows it, and it knows nothing of the agent.',
      severity: 'error',
      from: { path: '^src/agent/peering/' },
      to: { path: '^src/agent/', pathNot: '^src/agent/peering/' },
    },
    {
      name: 'commands-are-leaves',
      comment: 'A command is known to main.ts alone; what two of them need is in src/cli.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/main\\.ts$' },
      to: { path: '^src/cli/commands/' },
    },
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
      comment: 'errors, log, config, times and version know nothing of the rest.',
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
