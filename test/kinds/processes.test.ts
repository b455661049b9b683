import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refuse } from '../../src/kinds/look';
import { processes } from '../../src/kinds/processes';
import { cpuFlags } from '../../src/program/facts';
import { codesOf, facts, HOST, judged, NAMESPACES, processWith, refused } from '../support/kinds/facts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-processes-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a process', () => {
  test('that is traced is refused', () => {
    const [reason] = refuse(facts({ processes: [processWith({ tracer: 901 })] }));
    expect(reason).toEqual({ code: 'E_TRACED', message: expect.stringContaining('process 901') as string });
  });

  test('in a namespace of its own is refused, once for each', () => {
    const elsewhere = { ...NAMESPACES, net: 'net:[9]', mnt: 'mnt:[9]' };
    const reasons = refuse(facts({ processes: [processWith({ namespaces: elsewhere })] }));
    expect(codesOf(reasons)).toEqual(['E_NAMESPACE', 'E_NAMESPACE']);
    expect(reasons[0]?.message).toContain('net namespace');
    expect(reasons[1]?.message).toContain('mnt namespace');
  });

  test("whose PID namespace is the pod's moves", () => {
    expect(refused([processWith({ namespaces: { ...NAMESPACES, pid: 'pid:[9]' } })], [])).toEqual([]);
  });
});

const wanted = { architecture: process.arch, cpuFlags: [], mapped: [], workingDirectories: [] };
const judge = (change: object) => judged(processes, { ...wanted, ...change });

test('the target must have the files of all processes, each once, and the working directories of all but init', () => {
  const [shared, own] = [{ path: '/lib/libc.so', size: 7 }, { path: '/bin/server', size: 8 }];
  const init = processWith({ innerPid: 1, mapped: [shared], workingDirectory: '/run/migrun/init/1a2b3c4d' });
  const others = [processWith({ mapped: [shared, own], workingDirectory: '/srv' }),
    processWith({ mapped: [own], workingDirectory: '/srv' })];
  expect(processes.needs!.of(facts({ processes: [init, ...others] }), undefined, HOST)).toEqual({
    architecture: process.arch,
    cpuFlags: cpuFlags(),
    mapped: [shared, own],
    workingDirectories: ['/srv'],
  });
});

describe('CPU', () => {
  test('one of another architecture does not do', async () => {
    expect(await judge({ architecture: 'ppc64' })).toEqual([{
      code: 'E_CPU',
      message: expect.stringContaining('ppc64') as string,
    }]);
  });

  test('what it lacks is named', async () => {
    const reasons = await judge({ cpuFlags: [...cpuFlags(), 'warpdrive'] });
    expect(reasons).toEqual([{ code: 'E_CPU', message: expect.stringMatching(/lacks warpdrive$/) as string }]);
  });

  test('there are flags to compare at all', () => {
    expect(cpuFlags().length).toBeGreaterThan(5);
  });
});

describe('files', () => {
  test('one that is missing is named', async () => {
    const path = join(folder, 'missing');
    expect(await judge({ mapped: [{ path, size: 7 }] })).toEqual([{ code: 'E_FILE', message: `${path} is not here` }]);
  });

  test('one of another size is another one', async () => {
    const path = join(folder, 'other');
    writeFileSync(path, 'x'.repeat(8));
    expect(await judge({ mapped: [{ path, size: 7 }] })).toEqual([{
      code: 'E_FILE',
      message: expect.stringContaining('8 bytes, not 7') as string,
    }]);
  });

  test('a working directory must be there, and be one', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const reasons = await judge({ workingDirectories: [folder, file, join(folder, 'nowhere')] });
    expect(codesOf(reasons)).toEqual(['E_FILE', 'E_FILE']);
  });
});
