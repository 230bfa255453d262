import { Command, Option } from 'commander';
import { settings } from '../config/settings.js';
import {
  type DemoOptions,
  defaultInterval,
  defaultLogLevel,
  defaultPrometheusAddress,
  planDemo,
} from '../demo/plan.js';

export function demoCommand(): Command {
  return new Command('demo')
    .description('Run the gateway with three simulated instances, to look around. Ctrl-C ends it and leaves nothing.')
    .addOption(settingOption('web.listen-address'))
    .addOption(settingOption('operator.listen-address'))
    .option('--allow-remote', 'Permit listen addresses that other machines can reach.')
    .option('--tls', 'Serve tokens, pushes and pages over https, with a certificate made for this run.')
    .option('--interval <duration>', `How often each instance is pushed, 1s to 2m. Default ${defaultInterval}.`)
    .option('--dir <folder>', 'A new or empty folder for its files, kept at the end. Default a temporary one.')
    .option('--keep', 'Keep the temporary folder at the end.')
    .option(
      '--prometheus [host:port]',
      `Start the prometheus on the path beside it, with the alert rules. Default ${defaultPrometheusAddress}.`,
    )
    .addOption(settingOption('log.level', defaultLogLevel))
    .addHelpText('after', afterHelp)
    .action(async (options: DemoOptions) => {
      const plan = planDemo(options);
      // What only the demo needs would slow every other command down.
      const { runDemo } = await import('./demo-run.js');
      await runDemo(plan);
    });
}

const afterHelp = `
With port 0 the system chooses a free one. The demo reads no config file and none of the WEIR_* variables.

In a clone, options come after two dashes:
  npm run demo -- --tls
  npm run demo -- --prometheus
  npm run demo -- --web.listen-address 127.0.0.1:0 --operator.listen-address 127.0.0.1:0`;

/** The flag as `weir serve` has it, but for the environment. */
function settingOption(flag: string, preset?: string): Option {
  const setting = settings.find((candidate) => candidate.flag === flag)!;
  return new Option(`--${flag} <${setting.argument}>`, `${setting.help} Default ${preset ?? setting.default}.`);
}
