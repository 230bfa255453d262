import type { Estimate, Subscription } from '../domain/stream.js';
import { selects } from '../formats/selector.js';
import type { RequestTags } from '../telemetry/api-requests.js';
import { labelsOf, readPage } from './collect/project.js';
import { wantedTags } from './collect/requests.js';

/** What a subscription can choose from now. */
export interface Choice {
  /** The page of the whole project, in the text format. */
  readonly page: Buffer;
  /** Kinds of requests the project has made lately; `undefined` where nobody counts them. */
  readonly requests: readonly RequestTags[] | undefined;
}

export function estimate(subscription: Subscription, projectId: string, { page, requests }: Choice): Estimate {
  const { metricType, kind, match, intervalMs } = subscription;
  if (kind === 'project.metrics') {
    const samples = [...readPage(page)].flatMap((family) => family.samples);
    const passes = selects(match);
    const series = samples.filter((sample) => passes(labelsOf(sample))).length;
    return {
      metricType,
      series,
      available: samples.length,
      pointsPerHour: Math.round((series * 3_600_000) / intervalMs),
    };
  }
  if (requests === undefined) return { metricType, series: null, available: null, pointsPerHour: null };
  const count = (wanted: Pick<Subscription, 'includeTags' | 'excludeTags'>): number =>
    new Set(requests.map((tags) => JSON.stringify(wantedTags({ tenant: projectId, ...tags }, wanted)))).size;
  const available = count({ includeTags: null, excludeTags: [] });
  return { metricType, series: count(subscription), available, pointsPerHour: null };
}
