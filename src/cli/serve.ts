import { Command } from 'commander';
import type { Config } from '../config.js';
import { systemClock } from '../domain/clock.js';
import { systemRandom } from '../domain/ids.js';
import { type RunningGateway, serve } from '../main.js';
import { openLog } from '../telemetry/log.js';
import { readConfig, withSettings } from './common.js';
import { buildInfo } from './version.js';

export function serveCommand(): Command {
  const command = new Command('serve').description('Run the gateway.');
  withSettings(command);
  return command.action(async () => {
    const running = await start(readConfig(command));
    await stopOnSignal(running);
  });
}

export function start(config: Config): Promise<RunningGateway> {
  const log = openLog(config.log, (line) => process.stderr.write(line));
  return serve(config, { clock: systemClock, random: systemRandom, log, build: buildInfo() });
}

/** Resolves when a signal has stopped it; a second signal ends the process at once. */
export function stopOnSignal(running: Pick<RunningGateway, 'stop'>): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const onSignal = (): void => {
      if (stopping) process.exit(1);
      stopping = true;
      running.stop().then(resolve, reject);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  });
}
