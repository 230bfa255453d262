import type { Config } from './config.js';
import type { Log } from './telemetry/log.js';

/** Settings that a running gateway takes up; all others need a restart. */
const reloaded = [
  'log.level',
  'tokens.lifetime_seconds',
  'limits',
  'external_issuers',
  'ingest.routing',
  'ingest.otlp',
];

export interface ReloadOptions {
  readonly config: Config;
  /** Reads flags, environment and file anew; throws `OperatorError` with all that is wrong. */
  readonly reread: () => Config;
  /** Puts what `reloaded` names into force. */
  readonly apply: (config: Config) => void;
  readonly log: Log;
  readonly onOutcome: (successful: boolean) => void;
}

/** Takes up a changed configuration while the gateway runs. A bad one changes nothing. */
export class Reload {
  private readonly options: ReloadOptions;
  private readonly started: Config;

  constructor(options: ReloadOptions) {
    this.options = options;
    this.started = options.config;
  }

  /** Throws what is wrong with the new configuration. */
  run(): void {
    const { reread, apply, log, onOutcome } = this.options;
    try {
      const next = reread();
      apply(next);
      const waiting = differences(this.started, next).filter(
        (name) => !reloaded.some((taken) => name === taken || name.startsWith(`${taken}.`)),
      );
      if (waiting.length > 0) log.warn({ settings: waiting }, 'these settings changed and need a restart');
      onOutcome(true);
      log.info('the configuration was read again');
    } catch (error) {
      onOutcome(false);
      log.error({ err: error }, 'the configuration cannot be read again; the old one stays');
      throw error;
    }
  }
}

/** Names of the settings that differ, as the file spells them. */
function differences(before: unknown, after: unknown, name = ''): string[] {
  if (!isMap(before) || !isMap(after)) return JSON.stringify(before) === JSON.stringify(after) ? [] : [name];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    differences(before[key], after[key], `${name === '' ? '' : `${name}.`}${snakeCase(key)}`),
  );
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const snakeCase = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
