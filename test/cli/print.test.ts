import { duration, printJson, printTable } from '../../src/cli/print';

test.each([
  [-5, '0 s'],
  [0, '0 s'],
  [499, '0 s'],
  [1_500, '2 s'],
  [119_400, '119 s'],
  [120_000, '2 min'],
  [119.4 * 60_000, '119 min'],
  [120 * 60_000, '2 h'],
  [72 * 3_600_000, '72 h'],
])('%d ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

describe('what is printed', () => {
  let printed: string;
  beforeEach(() => {
    printed = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
  });
  afterEach(() => jest.restoreAllMocks());

  test('a table has columns, no lines, and no spaces at its ends', () => {
    printTable(['ID', 'IS'], [['1', 'a thing'], ['1000', '']]);
    expect(printed).toBe('ID    IS\n1     a thing\n1000\n');
  });

  test('JSON ends in a new line', () => {
    printJson({ a: [1] });
    expect(printed).toBe('{\n  "a": [\n    1\n  ]\n}\n');
  });
});
