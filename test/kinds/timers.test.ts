import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Frozen, Received } from '../../src/kinds/kind';
import { timers } from '../../src/kinds/timers';

test('descriptors that come and go meanwhile, as those of CRIU do, are no timers', async () => {
  const restless = spawn('sh', ['-c',
    'echo; i=0; while [ $i -lt 2000000 ]; do exec 8</dev/null; exec 8<&-; i=$((i+1)); done'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(restless.stdout, 'data');
    const frozen = { innerPids: new Map([[restless.pid!, 1]]) } as unknown as Frozen;
    const part = timers.leave!({} as never);
    for (let looks = 0; looks < 2_000; looks++) {
      part.read!(frozen);
      expect(part.state!(frozen, {} as Received)).toEqual([]);
    }
  } finally {
    restless.kill('SIGKILL');
    await once(restless, 'exit');
  }
});
