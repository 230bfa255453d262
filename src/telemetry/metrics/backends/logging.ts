import { z } from 'zod';
import { backendKind, type MetricsBackend } from '../backend.js';
import { tags } from './options.js';

/** Each measurement as a line of the log. */
export const logging = backendKind({
  type: 'logging',
  options: z.strictObject({
    level: z.enum(['debug', 'info'], { error: 'Write debug or info here.' }).nullish(),
    tags: tags.nullish(),
  }),
  readsRegistry: false,
  sends: false,
  open: ({ level }, { log, prefix }): MetricsBackend => {
    const write =
      (kind: string) =>
      (key: string, value: number, { tags, instance, sampleRate, unit }: Facts) =>
        log[level ?? 'debug']({ metric: `${prefix}${key}`, kind, value, instance, unit, sampleRate, tags }, 'measured');
    return {
      incr: write('counter'),
      gauge: write('gauge'),
      timing: write('timing'),
      distribution: write('distribution'),
      event: (title, message, facts) => log[level ?? 'debug']({ event: title, ...facts }, message),
    };
  },
});

type Facts = Parameters<NonNullable<MetricsBackend['incr']>>[2];
