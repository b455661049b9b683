import { join } from 'node:path';
import { repo } from '../support/repo';
import { run } from '../support/tools/shell';

const bench = join(repo, 'tools/bench');

describe('the benchmark', () => {
  test.each([
    [['--only', 'nothing'], '--only nothing: there is no such part'],
    [['--only', 'toString'], '--only toString: there is no such part'],
    [['--runs', '0'], '--runs 0: not a number of runs'],
    [['--runs', '1.5'], '--runs 1.5: not a number of runs'],
    [['--full', '--quick'], '--full and --quick: only one of them'],
    [['--what'], "Unknown option '--what'"],
    [['--redraw', '--docs'], '--redraw measures nothing: it goes with no other option'],
  ])('refuses %j before it makes anything', (args, message) => {
    const { status, stdout, stderr } = run(bench, args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(`bench: ${message}`);
    expect(stderr).toContain('Usage: tools/bench');
  });

  test('says how it is used', () => {
    expect(run(bench, ['--help'])).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('scale, table61, paths, rules'),
    });
  });
});
