import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import type { Config } from '../config.js';
import { systemClock } from '../domain/clock.js';
import { systemRandom } from '../domain/ids.js';
import { type RunningGateway, serve } from '../main.js';
import { openLog } from '../telemetry/log.js';
import { readConfig, withSettings } from './common.js';
import { aborted, onInterruption } from './signals.js';
import { buildInfo } from './version.js';

export function serveCommand(): Command {
  const command = new Command('serve').description('Run the gateway.');
  withSettings(command);
  return command.action(async () => {
    const running = await start(readConfig(command), () => readConfig(command));
    // What is wrong is in the log; the old configuration stays.
    process.on('SIGHUP', () => {
      try {
        running.gateway.reload();
      } catch {}
    });
    await aborted(onInterruption(['SIGINT', 'SIGTERM']).signal);
    await running.stop();
  });
}

/**
 * V8 counts the buffers that pushes leave behind as growth of its heap, and on a heap as small as ours it would answer
 * with a full collection every few dozen pushes: nearly half of all CPU. It may grow threefold before that.
 */
const heapGrowingPercent = 200;

export function start(config: Config, reread?: () => Config): Promise<RunningGateway> {
  setFlagsFromString(`--heap-growing-percent=${heapGrowingPercent}`);
  const log = openLog(config.log, (line) => process.stderr.write(line));
  return serve(config, { clock: systemClock, random: systemRandom, log, build: buildInfo() }, reread);
}
