import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { absoluteTimers } from '../../src/migration/timers';

test('descriptors that come and go meanwhile, as those of CRIU do, are no timers', async () => {
  const restless = spawn('sh', ['-c',
    'echo; i=0; while [ $i -lt 2000000 ]; do exec 8</dev/null; exec 8<&-; i=$((i+1)); done'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(restless.stdout, 'data');
    const pids = new Map([[restless.pid!, 1]]);
    for (let looks = 0; looks < 2_000; looks++) expect(absoluteTimers(pids)).toEqual([]);
  } finally {
    restless.kill('SIGKILL');
    await once(restless, 'exit');
  }
});
