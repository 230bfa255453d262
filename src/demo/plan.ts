import { BlockList, isIPv6 } from 'node:net';
import { parseListenAddress } from '../config/listen-address.js';
import { type Config, loadConfig } from '../config.js';
import { parseDuration } from '../domain/duration.js';
import { OperatorError } from '../domain/errors.js';
import type { DemoFolder } from './folder.js';

/** What was asked for on the command line, by commander's names. */
export interface DemoOptions {
  readonly 'web.listenAddress'?: string;
  readonly 'operator.listenAddress'?: string;
  readonly 'log.level'?: string;
  readonly allowRemote?: boolean;
  readonly tls?: boolean;
  readonly dir?: string;
  readonly keep?: boolean;
  readonly interval?: string;
  /** Where it listens; `true` for the default. */
  readonly prometheus?: string | true;
}

export interface DemoPlan {
  readonly everyMs: number;
  readonly tls: boolean;
  readonly dir: string | undefined;
  /** Whether its folder outlives the demo. */
  readonly keep: boolean;
  readonly webListenAddress: string;
  /** Where a Prometheus beside it listens, if one is wanted. */
  readonly prometheusAddress: string | undefined;
  /** The gateway's, with its files in the folder. */
  config(folder: DemoFolder, webConfigFile?: string): Config;
}

export const defaultInterval = '10s';
export const defaultLogLevel = 'warn';
export const defaultPrometheusAddress = '127.0.0.1:9090';

/** Throws `OperatorError` with all that is wrong with the options, one per line. */
export function planDemo(options: DemoOptions): DemoPlan {
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const checked = attempt(() => configOf(options, {}));
  const prometheusAddress = options.prometheus === true ? defaultPrometheusAddress : options.prometheus;
  if (checked !== undefined && options.allowRemote !== true) problems.push(...reachableAddresses(checked));
  if (prometheusAddress !== undefined && !isLoopbackAddress(prometheusAddress)) {
    problems.push(`--prometheus ${prometheusAddress}: write an address of this machine, such as 127.0.0.1:9091.`);
  }
  const everyMs = attempt(() => readInterval(options.interval ?? defaultInterval));
  if (checked === undefined || everyMs === undefined || problems.length > 0) {
    throw new OperatorError(problems.join('\n'));
  }
  const { tls = false, dir, keep = false } = options;
  return {
    everyMs,
    tls,
    dir,
    keep: keep || dir !== undefined,
    webListenAddress: checked.web.listenAddress,
    prometheusAddress,
    config: (folder, webConfigFile) =>
      configOf(options, { 'storage.path': folder.file('weir.db'), 'web.config.file': webConfigFile }),
  };
}

/** Of flags alone: a variable or file meant for another gateway must not turn the demo on that one's data. */
function configOf(options: DemoOptions, files: Record<string, string | undefined>): Config {
  const flags = {
    'web.listen-address': options['web.listenAddress'],
    'operator.listen-address': options['operator.listenAddress'],
    'log.level': options['log.level'] ?? defaultLogLevel,
    'log.format': 'pretty',
    ...files,
  };
  return loadConfig({ flags, env: {}, readFile: () => '' }).config;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

function reachableAddresses({ web, operator }: Config): string[] {
  return Object.entries({ web, operator })
    .filter(([, { listenAddress }]) => !isLoopback(parseListenAddress(listenAddress).host))
    .map(
      ([name, { listenAddress }]) =>
        `--${name}.listen-address ${listenAddress} can be reached from other machines, and the demo shows its secrets. ` +
        'Listen on 127.0.0.1, or add --allow-remote if that is what you want.',
    );
}

function isLoopbackAddress(address: string): boolean {
  try {
    return isLoopback(parseListenAddress(address).host);
  } catch {
    return false;
  }
}

const isLoopback = (host: string | undefined): boolean =>
  host === 'localhost' || (host !== undefined && loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4'));

/** At most less than half the lifetime of what is pushed: one push may fail and leave no gap. */
function readInterval(text: string): number {
  let everyMs = 0;
  try {
    everyMs = parseDuration(text);
  } catch {
    // Refused below, by the flag's name.
  }
  if (everyMs >= 1000 && everyMs <= 120_000) return everyMs;
  throw new OperatorError(`--interval ${text}: write a duration from 1s to 2m, such as 10s.`);
}
