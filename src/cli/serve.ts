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

export function start(config: Config, reread?: () => Config): Promise<RunningGateway> {
  const log = openLog(config.log, (line) => process.stderr.write(line));
  return serve(config, { clock: systemClock, random: systemRandom, log, build: buildInfo() }, reread);
}
