import type { Command } from 'commander';
import { connectionsIn } from '../../checkpoint/manifest';
import { type Image, readImage } from '../../checkpoint/read-image';
import { Restore, RESTORE_STEPS } from '../../checkpoint/restore';
import { type Config, logFileOf } from '../../config';
import { consoleOf } from '../../kinds/console';
import { createLogger } from '../../log';
import { type Phase, runSteps } from '../../migration/driver';
import { readClusterKey } from '../../protocol/channel/index';
import { parsePort } from '../arguments';
import { ConsoleClient } from '../console';
import { ensureAgent, showStep } from '../local';
import { lostText, note, printJson } from '../print';

interface Options {
  readonly to?: string;
  readonly port: number;
  readonly detach?: boolean;
  readonly again?: boolean;
  readonly json?: boolean;
}

export function restoreCommand(program: Command, config: Config, done: (status: number) => void): void {
  program.command('restore').description(
    'lets a program go on from a file; its output, input and exit status are here, as with migrun --',
  ).argument('<file>', 'what migrun checkpoint wrote').option(
    '--to <host>',
    'the host to restore it on, where an agent runs (default: this one)',
  ).option('--port <port>', 'the port of the agent there', parsePort, config.port).option(
    '-d, --detach',
    'leave it alone once it runs',
  ).option('--again', 'also where it was restored there before, or some peers hold no more: their connections are lost')
    .option('--json', 'for scripts; detaches').action(async (file: string, options: Options) => {
      done(await restore(config, file, options));
    });
}

async function restore(config: Config, file: string, { to, port, detach, again, json }: Options): Promise<number> {
  const key = readClusterKey(config.clusterKeyFile);
  const image = await readImage(file, key);
  if (to === undefined) await ensureAgent(config);
  const place = { host: to ?? 'localhost', port };
  const context = new Restore(
    image,
    key,
    place,
    again === true,
    config,
    createLogger('restore', config.logLevel, logFileOf(config, 'restore')),
  );
  const quiet = json === true;
  const phases = await runSteps(
    RESTORE_STEPS,
    context,
    (step, state, ms) => (quiet ? undefined : showStep({ step, state, ms })),
    context.log,
  );
  if (quiet) printJson(reportOf(context, phases));
  else tell(context, to);
  if (quiet || detach === true) return 0;
  return await follow(config, image, place);
}

function reportOf({ image: { manifest }, to, bytes, lost }: Restore, phases: readonly Phase[]): object {
  return {
    checkpoint: manifest.checkpoint,
    program: manifest.program.id,
    target: to.host,
    phases,
    connections: connectionsIn(manifest).length,
    bytes,
    lost,
  };
}

function tell({ image: { manifest }, lost }: Restore, to: string | undefined): void {
  note(`program ${manifest.program.id}${to === undefined ? '' : ` on ${to}`}`);
  for (const peer of lost) process.stderr.write(`${lostText(peer)}\n`);
}

function follow(config: Config, { state, manifest }: Image, place: { host: string; port: number }): Promise<number> {
  const { token, stdout, stderr, received } = consoleOf(state.kinds).console;
  const console = new ConsoleClient(
    config,
    manifest.program.id,
    token,
    manifest.terminal && process.stdin.isTTY && process.stdout.isTTY,
    { stdout: stdout.acknowledged, stderr: stderr.acknowledged, input: received },
  );
  return console.run({ kind: 'host', ...place });
}
