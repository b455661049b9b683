/** `migrun -- command` as a user has it: in a network and a PID namespace of its own, where its agent ends with it. */
import { Place, type Result } from '../support/cli/place';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const prefix = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
const run = (args: readonly string[], input = ''): Promise<Result> => place.migrun(args, { prefix, input });

test("gives what the command prints, its status, and the program's id", async () => {
  const { status, stdout, stderr } = await run(['--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
  expect({ status, stdout }).toEqual({ status: 7, stdout: 'out\n' });
  const [id, ...rest] = stderr.split('\n').sort((one) => (one.startsWith('migrun:') ? -1 : 1));
  expect(id).toMatch(/^migrun: program [0-9a-f]{8}$/);
  expect(rest.join('\n').trim()).toBe('err');
});

test('a command that ends at once has printed all the same', async () => {
  for (let round = 0; round < 5; round++) {
    const { status, stderr } = await run(['run', '-q', 'ls', '/nowhere/at-all']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^ls: [^\n]*\/nowhere\/at-all[^\n]*\n$/);
  }
});

test('input goes to the command, and so does its end', async () => {
  const input = 'a line of input\n'.repeat(20_000);
  expect(await run(['run', '-q', 'cat'], input)).toEqual({ status: 0, stdout: input, stderr: '' });
});

test("options after the command are the command's", async () => {
  expect(await run(['run', '-q', 'echo', '--json', '--help', '-q'])).toEqual({
    status: 0,
    stdout: '--json --help -q\n',
    stderr: '',
  });
  expect((await run(['--', 'printf', '%s', '--help'])).stdout).toBe('--help');
});

test('a signal that ends the command is its status, as shells have it', async () => {
  expect((await run(['run', '-q', 'sh', '-c', 'kill -TERM $$'])).status).toBe(128 + 15);
});

test('a command that is not there is an error of ours', async () => {
  const { status, stdout, stderr } = await run(['--', 'no-such-command-anywhere']);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^migrun: E_EXEC: cannot execute no-such-command-anywhere: ENOENT; [^\n]*\n$/);
});
