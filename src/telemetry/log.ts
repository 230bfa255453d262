import { type Logger, pino } from 'pino';

export type Log = Logger;

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'pretty';
}

/** One line per event on stderr; standard output is left to commands' answers. Values are cut, never tokens or secrets. */
export function openLog({ level, format }: LogOptions, write: (line: string) => void): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['*.authorization', '*.client_secret', '*.token'], censor: '***' },
    },
    { write: format === 'json' ? write : (line: string) => write(pretty(line)) },
  );
}

export const silentLog = (): Log => pino({ level: 'silent' });

function pretty(line: string): string {
  const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(facts).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
  const clean = `${msg}${rest.join('')}`.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
  return `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${clean}\n`;
}
