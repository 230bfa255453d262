import type { Clock } from '../domain/clock.js';
import { instanceLabel, reservedMetricPrefix } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import type { Limits } from '../domain/limits.js';
import { checkSampleLimit } from '../domain/source.js';
import { seriesCount } from '../formats/family.js';
import { parseExposition } from '../formats/parse.js';
import type { SourceReach } from './connection.js';
import { openSource, type SourceTarget } from './open.js';
import { PullError } from './pulled.js';
import { relabelerOf } from './relabel.js';

/** What came of asking a source once. */
export interface SourceProbe {
  readonly pulled: boolean;
  readonly error: string | null;
  readonly series: number;
  readonly warnings: readonly string[];
  readonly durationMs: number;
}

/** Asks a source as a pull would, and stores nothing. */
export async function probeSource(
  target: SourceTarget & { readonly metricsId: string; readonly limits: Limits },
  reach: SourceReach,
  clock: Clock,
): Promise<SourceProbe> {
  const { limits, metricsId, settings } = target;
  const started = clock.monotonic();
  const done = (result: Omit<SourceProbe, 'durationMs'>): SourceProbe => ({
    ...result,
    durationMs: Math.round(clock.monotonic() - started),
  });
  try {
    const { body, syntax, warnings } = await openSource(target, reach, clock)(limits);
    const labels = [[instanceLabel, metricsId] as const, ...settings.labels];
    const reservedPrefix = reservedMetricPrefix;
    const exposition = parseExposition(body, { syntax, labels, limits, reservedPrefix, timestamps: 'drop' });
    const series = seriesCount(relabelerOf(settings, metricsId)(exposition));
    checkSampleLimit(series, settings.sampleLimit);
    return done({ pulled: true, error: null, series, warnings });
  } catch (error) {
    if (!(error instanceof PullError || error instanceof WeirError)) throw error;
    return done({ pulled: false, error: error.message, series: 0, warnings: [] });
  }
}
