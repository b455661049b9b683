import { existsSync } from 'node:fs';
import { cgroupMount, cgroupRoot, criuLogOf, DEFAULT_PORT, loadConfig } from '../src/config';

describe('loadConfig', () => {
  test('without an environment everything is where a plain system has it', () => {
    expect(loadConfig({})).toMatchObject({
      stateDir: '/var/lib/migrun',
      runDir: '/run/migrun',
      clusterKeyFile: '/var/lib/migrun/cluster.key',
      agentSocket: '/run/migrun/agent.sock',
      programsDir: '/run/migrun/programs',
      criu: '/var/lib/migrun/criu/criu',
      port: DEFAULT_PORT,
      logLevel: 'info',
    });
  });

  test('what belongs together moves together', () => {
    const config = loadConfig({ MIGRUN_STATE_DIR: '/srv/state', MIGRUN_RUN_DIR: '/srv/run' });
    expect(config.clusterKeyFile).toBe('/srv/state/cluster.key');
    for (const path of [config.agentSocket, config.programsDir, config.journalDir])
      expect(path).toMatch(/^\/srv\/run\//);
  });

  test('each can be set by itself', () => {
    const set = { MIGRUN_KEY_FILE: '/k', MIGRUN_CRIU: '/c', MIGRUN_PORT: '9000', MIGRUN_LOG_LEVEL: 'debug' };
    expect(loadConfig(set)).toMatchObject({ clusterKeyFile: '/k', criu: '/c', port: 9000, logLevel: 'debug' });
    expect(loadConfig({ MIGRUN_CRIU_DIR: '/d' }).criu).toBe('/d/criu');
    expect(loadConfig({ MIGRUN_CRIU_DIR: '/d', MIGRUN_CRIU: '/c' }).criu).toBe('/c');
  });

  test.each(['0', '65536', '-1', '80.5', 'http', '', ' '])('%j is no port', (port) => {
    expect(() => loadConfig({ MIGRUN_PORT: port })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', hint: expect.any(String) as string }) as Error,
    );
  });

  test("the built parts are this checkout's", () => {
    const { init, shim } = loadConfig({});
    for (const path of [init, shim]) expect(existsSync(path)).toBe(true);
  });
});

test("a migration's log of CRIU has its name", () => {
  expect(criuLogOf(loadConfig({ MIGRUN_RUN_DIR: '/srv/run' }), '0123456789abcdef')).toBe(
    '/srv/run/log/criu-01234567.log',
  );
});

describe('cgroupMount', () => {
  test('finds cgroup v2 alone, and beside v1', () => {
    expect(cgroupMount('proc /proc proc rw 0 0\ncgroup2 / cgroup2 rw,nsdelegate 0 0\n')).toBe('/');
    expect(cgroupMount('cgroup /sys cgroup rw,memory 0 0\ncgroup2 /proc cgroup2 rw 0 0\n')).toBe('/proc');
  });

  test('does not take one that cannot be reached', () => {
    expect(cgroupMount('cgroup2 /nowhere/at/all cgroup2 rw 0 0\ncgroup2 /proc cgroup2 rw 0 0\n')).toBe('/proc');
  });

  test('says where there is none', () => {
    expect(cgroupMount('cgroup /sys cgroup rw,memory 0 0\n')).toBeUndefined();
  });

  test('of this host is where programs go', () => {
    expect(cgroupRoot()).toBe(`${cgroupMount()}/migrun`);
  });
});
