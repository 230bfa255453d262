import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { OperatorError, WeirError } from '../domain/errors.js';
import { sourceAuthTypes } from '../domain/source.js';
import { collect, repeated } from './common.js';
import { readRelabelFile } from './relabel-file.js';

/** The settings of a source as flags. */
export interface SourceFlags {
  readonly name?: string;
  readonly url?: string;
  readonly interval?: string;
  readonly timeout?: string;
  readonly staleLimit?: string;
  readonly matcher?: readonly string[];
  /** false: none. */
  readonly tenant?: string | false;
  readonly tenantHeader?: string;
  readonly label?: readonly string[] | false;
  readonly auth?: (typeof sourceAuthTypes)[number];
  readonly authUsername?: string;
  readonly authTokenFile?: string;
  readonly authPasswordFile?: string;
  readonly oauth2ClientId?: string;
  readonly oauth2ClientSecretFile?: string;
  readonly oauth2TokenUrl?: string;
  readonly oauth2Scope?: string;
  readonly relabelFile?: string | false;
  readonly sampleLimit?: string;
  readonly bodySizeLimit?: string;
  readonly status?: 'enabled' | 'disabled';
}

export function withSourceFlags(command: Command): Command {
  return command
    .option('--url <url>', "What is asked: an exporter's page, or what stands before /api/v1 of a TSDB.")
    .option(
      '--matcher <matcher>',
      'Of a TSDB: what every series must satisfy, such as \'project="acme"\'. May be repeated.',
      collect,
    )
    .option('--interval <duration>', 'How often it is asked, from 1s to 1h; 15s when left out.')
    .option('--timeout <duration>', 'How long a request may take; 10s, or the interval where that is shorter.')
    .option(
      '--stale-limit <duration>',
      'How long its last series are served when it fails; three intervals, at least 1m.',
    )
    .option('--tenant <tenant>', 'Of a TSDB: the tenant, sent as X-Scope-OrgID.')
    .option('--tenant-header <name>', 'Another header for it.')
    .addOption(repeated('--label <label>', 'A label every series gets, such as \'job="app"\'. May be repeated.'))
    .addOption(new Option('--auth <type>', 'How the gateway proves who it is.').choices(sourceAuthTypes))
    .option('--auth-token-file <file>', 'With --auth bearer: a file with the token.')
    .option('--auth-username <name>', 'With --auth basic.')
    .option('--auth-password-file <file>', 'With --auth basic: a file with the password.')
    .option('--oauth2-client-id <id>', 'With --auth oauth2, the client credentials grant.')
    .option('--oauth2-client-secret-file <file>', 'With --auth oauth2: a file with the secret.')
    .option('--oauth2-token-url <url>', 'With --auth oauth2.')
    .option('--oauth2-scope <scope>', 'With --auth oauth2.')
    .option('--relabel-file <file>', "YAML with rules in Prometheus' metric_relabel_configs language.")
    .option('--sample-limit <count>', 'Series of one answer; more are refused. 0 for the limit of the project alone.')
    .option('--body-size-limit <bytes>', 'Of an answer, inflated. 0 for the limit of pushes.')
    .addOption(new Option('--status <status>', 'Whether it is asked.').choices(['enabled', 'disabled']));
}

/** What a source has already may be taken away. */
export function withRemovals(command: Command): Command {
  return command
    .option('--no-tenant', 'No tenant.')
    .option('--no-label', 'Take away all labels.')
    .option('--no-relabel-file', 'No rules.');
}

/** The body of the API that says what the flags say. Throws `invalid`, or `OperatorError` for a file. */
export function sourceBody(flags: SourceFlags): Record<string, unknown> {
  const body: Record<string, unknown> = {
    name: flags.name,
    status: flags.status,
    url: flags.url,
    interval: flags.interval,
    timeout: flags.timeout,
    stale_limit: flags.staleLimit,
    matchers: flags.matcher,
    tenant: flags.tenant === false ? null : flags.tenant,
    tenant_header: flags.tenantHeader,
    labels: flags.label === undefined ? undefined : Object.fromEntries((flags.label || []).map(label)),
    auth: authOf(flags),
    metric_relabel_configs: rulesOf(flags),
    sample_limit: count('--sample-limit', flags.sampleLimit),
    body_size_limit: count('--body-size-limit', flags.bodySizeLimit),
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

const rulesOf = ({ relabelFile }: SourceFlags): unknown =>
  relabelFile === false ? [] : relabelFile && readRelabelFile(relabelFile);

/** What each way of proving takes. */
const flagsOfAuth = {
  bearer: { '--auth-token-file': 'authTokenFile' },
  basic: { '--auth-username': 'authUsername', '--auth-password-file': 'authPasswordFile' },
  oauth2: {
    '--oauth2-client-id': 'oauth2ClientId',
    '--oauth2-client-secret-file': 'oauth2ClientSecretFile',
    '--oauth2-token-url': 'oauth2TokenUrl',
    '--oauth2-scope': 'oauth2Scope',
  },
} as const;

/** Throws `invalid` for a flag that would go unread. */
function checkAuthFlags(flags: SourceFlags): void {
  for (const [type, theirs] of Object.entries(flagsOfAuth)) {
    if (type === flags.auth) continue;
    const [stray] = Object.entries(theirs).find(([, name]) => flags[name] !== undefined) ?? [];
    if (stray === undefined) continue;
    const advice = flags.auth === undefined ? `add --auth ${type}` : `not with --auth ${flags.auth}`;
    throw new WeirError('invalid', `${stray} goes with --auth ${type}; ${advice}.`);
  }
}

function authOf(flags: SourceFlags): object | undefined {
  checkAuthFlags(flags);
  if (flags.auth === undefined) return undefined;
  switch (flags.auth) {
    case 'none':
      return { type: 'none' };
    case 'bearer':
      return { type: 'bearer', token: secret('--auth-token-file', flags.authTokenFile) };
    case 'basic': {
      const password = secret('--auth-password-file', flags.authPasswordFile);
      return { type: 'basic', username: needed('--auth-username', flags.authUsername), password };
    }
    case 'oauth2':
      return {
        type: 'oauth2',
        client_id: needed('--oauth2-client-id', flags.oauth2ClientId),
        client_secret: secret('--oauth2-client-secret-file', flags.oauth2ClientSecretFile),
        token_url: needed('--oauth2-token-url', flags.oauth2TokenUrl),
        ...(flags.oauth2Scope === undefined ? {} : { scope: flags.oauth2Scope }),
      };
  }
}

function needed(flag: string, value: string | undefined): string {
  if (value === undefined) throw new WeirError('invalid', `This --auth needs ${flag}.`);
  return value;
}

function secret(flag: string, file: string | undefined): string {
  const path = needed(flag, file);
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new OperatorError(`The file ${path} cannot be read: ${(error as Error).message}.`);
  }
}

function label(text: string): [string, string] {
  const [, name, quoted, plain] = /^([a-zA-Z_]\w*)=(?:"([^"\\]*)"|([^"]*))$/.exec(text) ?? [];
  if (name === undefined) throw new WeirError('invalid', 'Write a label like job="app".');
  return [name, quoted ?? plain!];
}

function count(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new WeirError('invalid', `${flag} needs a whole number.`);
  return Number(text);
}
