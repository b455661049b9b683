import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { repo } from '../support/repo';
import { shim } from '../support/shim/programs.js';

interface Symbol {
  readonly address: string;
  readonly name: string;
  readonly version: string;
}

function dynamicSymbols(library: string): Symbol[] {
  const lines = execFileSync('nm', ['-D', '--defined-only', library], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [address = '', , symbol = ''] = line.split(' ');
    const [name = '', version = ''] = symbol.split(/@+/);
    return { address, name, version };
  });
}

/** Every name in the table of calls (preload/calls.h). */
function tableNames(): string[] {
  const macros = ['CALL(r, name, p, a)', 'VARIANT(r, name, of, p, a)', 'VARIADIC(r, name, p)'];
  const source = [...macros.map((macro) => `#define ${macro} name`), '#include "calls.h"'].join('\n');
  const text = execFileSync('cc', ['-E', '-P', '-I', join(repo, 'preload'), '-'], { input: source, encoding: 'utf8' });
  return text.split(/\s+/).filter((name) => name !== '');
}

describe('what the shim exports', () => {
  const table = tableNames();
  const inTable = new Set(table);

  test('is the table of calls, and nothing else', () => {
    const exported = dynamicSymbols(shim).map((symbol) => symbol.name);
    expect(exported.sort()).toEqual([...table].sort());
  });

  const libc = dynamicSymbols(execFileSync('cc', ['-print-file-name=libc.so.6'], { encoding: 'utf8' }).trim());
  const offered = libc.filter((symbol) => symbol.version !== 'GLIBC_PRIVATE');

  test('is in libc', () => {
    const names = new Set(offered.map((symbol) => symbol.name));
    expect(table.filter((name) => !names.has(name))).toEqual([]);
  });

  test('has every other name of the same function', () => {
    const addresses = new Set(offered.filter((symbol) => inTable.has(symbol.name)).map((symbol) => symbol.address));
    const missing = offered.filter((symbol) => addresses.has(symbol.address) && !inTable.has(symbol.name));
    expect(missing).toEqual([]);
  });

  test('has every variant: __, _IO_, 64, _chk, and numbered ones', () => {
    const variant = new RegExp(`^(_|__|_IO_|__libc_)?(${table.join('|')})(64)?(v?[0-9])?(_chk)?$`);
    const missing = offered.filter((symbol) => variant.test(symbol.name) && !inTable.has(symbol.name));
    expect(missing.map((symbol) => symbol.name)).toEqual([]);
  });
});
