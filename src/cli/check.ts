import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { checkConfigFile } from '../config.js';
import { OperatorError, WeirError } from '../domain/errors.js';
import { defaultLimits } from '../domain/limits.js';
import { seriesCount } from '../formats/family.js';
import { parseExposition, type Syntax } from '../formats/parse.js';
import { readConfig, withSettings } from './common.js';

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
      const { problems, summary } = checkPage(readFileSync(0), syntax);
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      if (problems.length > 0) process.exitCode = 1;
      else process.stdout.write(`${summary}\n`);
    });
  const ready = withSettings(check.command('ready'), ['operator.listen-address', 'config.file']);
  ready
    .description('Ask the gateway whether it is ready: for container health checks.')
    .addOption(new Option('--url <url>', "The operator listener's URL, when it is not at its listen address."))
    .action(async () => {
      const { listenAddress } = readConfig(ready).operator;
      const origin = (ready.getOptionValue('url') as string | undefined) ?? `http://${reachable(listenAddress)}`;
      const { status, text } = await ask(`${origin.replace(/\/$/, '')}/-/ready`);
      (status === 200 ? process.stdout : process.stderr).write(text);
      if (status !== 200) process.exitCode = 1;
    });
  return check;
}

const readyWithinMs = 5_000;

/** An address that listens on every interface is reached on this machine. */
const reachable = (address: string): string => address.replace(/^(0\.0\.0\.0|\[::\])?:/, 'localhost:');

async function ask(url: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(readyWithinMs) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    throw new OperatorError(`${url} does not answer: ${cause?.message ?? message}.`);
  }
}

const mostProblems = 20;

/** The parser stops at the first fault; a line with one is blanked out and the rest read again, so that all are told. */
function checkPage(page: Buffer, syntax: Syntax): { problems: string[]; summary: string } {
  const problems: string[] = [];
  const lines = page.toString('latin1').split('\n');
  while (problems.length < mostProblems) {
    try {
      const body = Buffer.from(lines.join('\n'), 'latin1');
      // A page that Weir served carries series of its own, which a push could not.
      const parsed = parseExposition(body, { syntax, labels: [], limits: defaultLimits, reservedPrefix: '\0' });
      return { problems, summary: `${seriesCount(parsed)} series in ${parsed.families.length} families: fine.` };
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      problems.push(error.message);
      const { line } = error.facts;
      // OpenMetrics has no blank lines: the first problem is all that can be said.
      if (line === undefined || syntax === 'openmetrics' || lines[line - 1] === '') break;
      lines[line - 1] = '';
    }
  }
  return { problems, summary: '' };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperatorError(`The file ${file} cannot be read: ${(error as Error).message}.`);
  }
}
