import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Command, Option } from 'commander';
import type { LocalAdmin } from '../admin/admin.js';
import { settings } from '../config/settings.js';
import { type Config, loadConfig } from '../config.js';
import { systemClock } from '../domain/clock.js';
import { OperatorError } from '../domain/errors.js';
import { systemRandom } from '../domain/ids.js';
import { openStore } from '../gateway/open-store.js';
import type { Store } from '../storage/store.js';
import type { Manager } from './manager.js';
import type { OutputFormat, Row } from './output.js';
import { showMany, showOne } from './output.js';
import { remoteManager } from './remote.js';
import { RemoteApi } from './remote-api.js';
import { localManager } from './source-manager.js';

/** Adds the flags of the named settings; without names, of all. */
export function withSettings(command: Command, flags?: readonly string[]): Command {
  for (const { flag, argument, help, env, default: preset } of settings) {
    if (flag === undefined || (flags !== undefined && !flags.includes(flag))) continue;
    const said = `${help} ${preset ? `Default ${preset}. ` : ''}[${env}]`;
    command.addOption(new Option(`--${flag} <${argument}>`, said));
  }
  return command;
}

/** What commands on the store take: where it is, and how to print. */
export function onStore(command: Command): Command {
  withSettings(command, ['storage.path', 'config.file', 'web.external-url']);
  return withFormat(command);
}

/** What commands take that work on the store or through a running server. */
export function managing(command: Command, serverFlag: '--url' | '--server' = '--url'): Command {
  const told = 'Work through the management API of the server there, not on the store: https, or loopback.';
  return onStore(command)
    .option(`${serverFlag} <url>`, told)
    .option('--client-id <id>', `With ${serverFlag}: a client with the scopes for it.`)
    .option('--client-secret-file <file>', `With ${serverFlag}: a file with its secret; "-" for standard input.`)
    .option('--ca-file <file>', `With ${serverFlag}: a certificate to trust beside those of the system.`);
}

export function withFormat(command: Command): Command {
  return command.addOption(
    new Option('--format <format>', 'How to print the answer.').choices(['table', 'json']).default('table'),
  );
}

/** Flags as they were typed, by their names. */
export function readConfig(command: Command): Config {
  const flags: Record<string, string | undefined> = {};
  for (const option of command.options) {
    if (settings.some(({ flag }) => flag === option.name())) {
      flags[option.name()] = command.getOptionValue(option.attributeName()) as string | undefined;
    }
  }
  const { config, warnings } = loadConfig({ flags, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
  for (const warning of warnings) process.stderr.write(`weir: warning: ${warning}\n`);
  return config;
}

/** What a command works with. */
export interface Managing {
  readonly admin: Manager;
  /** Where clients reach the gateway: as configured, else as the server last said, else the default address. */
  readonly externalUrl: string;
  one(row: Row): void;
  many(rows: readonly Row[], none: string): void;
}

export interface StoreCommand extends Omit<Managing, 'admin'> {
  readonly admin: LocalAdmin;
  readonly store: Store;
}

interface RemoteFlags {
  readonly url?: string;
  readonly server?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly caFile?: string;
}

/** Works through the server at `--url` (or `--server`, where the URL is something else), or else on the store. */
export async function withManager(command: Command, work: (context: Managing) => Promise<void>): Promise<void> {
  const { clientId, clientSecretFile, caFile, ...said } = command.opts<RemoteFlags>();
  const flag = command.options.some(({ long }) => long === '--server') ? '--server' : '--url';
  const url = flag === '--server' ? said.server : said.url;
  if (url === undefined) {
    const stray = clientId ?? clientSecretFile ?? caFile;
    if (stray !== undefined)
      throw new OperatorError(`--client-id, --client-secret-file and --ca-file go with ${flag}.`);
    return withStore(command, (local) => work({ ...local, admin: localManager(local.admin) }));
  }
  if (clientId === undefined || clientSecretFile === undefined) {
    throw new OperatorError(`${flag} needs --client-id and --client-secret-file: who asks the server.`);
  }
  const api = new RemoteApi({ url, clientId, clientSecretFile, caFile });
  await work({ admin: remoteManager(api), externalUrl: await api.externalUrl(), ...printing(command) });
}

/** In the format that was asked for. */
function printing(command: Command): Pick<Managing, 'one' | 'many'> {
  const format = command.getOptionValue('format') as OutputFormat;
  return {
    one: (row) => process.stdout.write(showOne(row, format)),
    many: (rows, none) => process.stdout.write(showMany(rows, format, none)),
  };
}

/** Opens the store beside a server that may be running on it, does the work, closes it. */
export async function withStore(command: Command, work: (context: StoreCommand) => Promise<void>): Promise<void> {
  const config = readConfig(command);
  const actor = `cli:${userInfo().username}`;
  const seams = { clock: systemClock, random: systemRandom };
  const { store, admin } = await openStore(config, seams, { exclusive: false, actor });
  try {
    const externalUrl =
      config.web.externalUrl ??
      (await store.issuers.latest()) ??
      `http://${config.web.listenAddress.replace(/^:/, 'localhost:')}`;
    await work({
      admin,
      store,
      externalUrl,
      ...printing(command),
    });
  } finally {
    await store.close();
  }
}

/** For options that may be given several times. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** The same beside a `--no-…` of the flag, which is false. */
export const repeated = (flags: string, text: string): Option =>
  new Option(flags, text).argParser((value: string, before: string[] | false | undefined) =>
    collect(value, before || undefined),
  );

/** For `--limit`. */
export function readLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new OperatorError(`--limit needs a whole number from 1 on, not "${text}".`);
  return Number(text);
}
