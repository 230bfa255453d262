import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { checkConfigFile } from '../config.js';
import { reservedMetricPrefix } from '../domain/endpoint.js';
import { OperatorError, WeirError } from '../domain/errors.js';
import { defaultLimits } from '../domain/limits.js';
import { seriesCount } from '../formats/family.js';
import { parseExposition, type Syntax } from '../formats/parse.js';

export function checkCommand(): Command {
  const check = new Command('check').description('Look for problems before they bite. Exit code 1 when there are any.');

  check
    .command('config')
    .argument('<file>')
    .description('Check a configuration file.')
    .action((file: string) => {
      const problems = checkConfigFile(file, read(file));
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      if (problems.length > 0) process.exitCode = 1;
      else process.stdout.write(`${file} is fine.\n`);
    });

  check
    .command('metrics')
    .description('Check a page of metrics on standard input, as a push would.')
    .addOption(new Option('--syntax <syntax>', 'Its format.').choices(['text', 'openmetrics']).default('text'))
    .action(({ syntax }: { syntax: Syntax }) => {
      try {
        const page = readFileSync(0);
        const parsed = parseExposition(page, {
          syntax,
          labels: [],
          limits: defaultLimits,
          reservedPrefix: reservedMetricPrefix,
        });
        process.stdout.write(`${seriesCount(parsed)} series in ${parsed.families.length} families: fine.\n`);
      } catch (error) {
        if (!(error instanceof WeirError)) throw error;
        process.stderr.write(`${error.message}\n`);
        process.exitCode = 1;
      }
    });
  return check;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperatorError(`The file ${file} cannot be read: ${(error as Error).message}.`);
  }
}
