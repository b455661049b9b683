import { Programs, shim } from '../support/shim/programs.js';

const underShim = ['births', 'deaths', 'protected', 'processes', 'threads', 'states', 'names', 'signals', 'many',
  'options'] as const;

describe('the shim', () => {
  let programs: Programs;

  beforeAll(() => {
    programs = new Programs(['init', 'inert', ...underShim]);
  });

  afterAll(() => {
    programs.remove();
  });

  const run = (name: string, ...parameters: string[]) =>
    programs.run('init', [shim, programs.path(name), ...parameters]);

  const clean = { status: 0, stdout: 'records 0\n', stderr: '' };

  test.each([
    ['births', 'knows every socket descriptor from its birth'],
    ['deaths', 'forgets every socket descriptor at its close'],
    ['protected', "keeps the registry's descriptors from the program, and finds them after an exec"],
    ['processes', 'follows fork, vfork, posix_spawn and exec'],
    ['threads', 'counts right where threads open, copy and close'],
    ['states', 'tells of listening sockets, connections and their end'],
    ['names', 'keeps the names that the program was told'],
    ['many', 'knows more sockets than most programs have, and the highest descriptors'],
    ['signals', 'shows the program its own signal handlers'],
    ['options', 'notes what the kernel shows to nobody, as long as it is so'],
  ])('%s: %s', async (name) => {
    expect(await run(name)).toEqual(clean);
  });

  // A fork in the middle of another thread's close may count one reference too many, which stays until a sweep.
  test('threads: counts nothing too low where another thread forks', async () => {
    expect(await run('threads', 'fork')).toMatchObject({ status: 0, stderr: '' });
  });

  // What it checks about handlers holds for libc itself too.
  test('signals: says the same without the shim', async () => {
    expect(await programs.run('signals', [])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test.each([
    ['no registry', {}],
    ['descriptors that are something else', { MIGRUN_REGISTRY_FDS: '0,1' }],
    ['a text that is no pair of descriptors', { MIGRUN_REGISTRY_FDS: 'x' }],
  ])('inert: passes every call through with %s', async (_what, environment) => {
    expect(await programs.run('inert', [], { LD_PRELOAD: shim, ...environment })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });
});
