import { LRUCache } from 'lru-cache';
import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Exposition, Family, FamilyType } from '../formats/family.js';
import { eachLabelName } from '../formats/label-names.js';
import { type Pages, type PageTarget, pageLifetimeMs } from './pages.js';

/** What there is to know of a metric before looking at its samples. */
export interface Descriptor {
  readonly name: string;
  /** `untyped` also where endpoints disagree, as on a page. */
  readonly type: FamilyType;
  readonly help: string | null;
  readonly unit: string | null;
  /** All that any of its series has, sorted. */
  readonly labels: readonly string[];
  /** metricsIds of the endpoints that have it, sorted. */
  readonly endpoints: readonly string[];
  readonly series: number;
}

/** The catalogues asked for within the last 30 s, as JSON: making one walks over every series. */
export class Catalogue {
  private readonly cache: LRUCache<string, string, PageTarget>;

  constructor(pages: Pick<Pages, 'parts'>, clock: Clock) {
    this.cache = new LRUCache({
      maxSize: catalogueBytes,
      sizeCalculation: (json) => json.length + 256,
      ttl: pageLifetimeMs,
      ttlResolution: 0,
      perf: { now: () => clock.monotonic() },
      fetchMethod: async (_key, _stale, { context: target }) => {
        const all = await pages.parts(target);
        const served = all.flatMap(({ endpoint, parts }) => parts.map(({ exposition }) => ({ endpoint, exposition })));
        return `${JSON.stringify({ descriptors: describeMetrics(served) })}\n`;
      },
    });
  }

  async get(target: PageTarget): Promise<string> {
    return (await this.cache.fetch(target.key, { context: target }))!;
  }
}

const catalogueBytes = 16 * 1024 * 1024;

/** Families of one endpoint, as they are served. */
export interface OfEndpoint {
  readonly endpoint: Pick<MetricsEndpoint, 'metricsId'>;
  readonly exposition: Exposition;
}

/** One descriptor for each metric, in the order of their names. */
export function describeMetrics(parts: readonly OfEndpoint[]): Descriptor[] {
  const found = new Map<string, { descriptor: Descriptor; labels: Set<string>; endpoints: Set<string> }>();
  for (const { endpoint, exposition } of parts) {
    for (const family of exposition.families) {
      const { name, type, help, unit } = family.header;
      const before = found.get(name);
      const labels = before?.labels ?? new Set<string>();
      const endpoints = (before?.endpoints ?? new Set<string>()).add(endpoint.metricsId);
      collectLabelNames(exposition, family, labels);
      const descriptor: Descriptor = {
        name,
        type: before === undefined || before.descriptor.type === type ? type : 'untyped',
        help: before?.descriptor.help ?? help ?? null,
        unit: before?.descriptor.unit ?? unit ?? null,
        labels: [],
        endpoints: [],
        series: (before?.descriptor.series ?? 0) + family.last - family.first,
      };
      found.set(name, { descriptor, labels, endpoints });
    }
  }
  return [...found.values()]
    .map(({ descriptor, labels, endpoints }) => ({
      ...descriptor,
      labels: [...labels].sort(),
      endpoints: [...endpoints].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Neighbouring series mostly have the same label names: only a set that differs from the one before is looked at. */
function collectLabelNames({ bytes, lines }: Exposition, { first, last }: Family, labels: Set<string>): void {
  let before = '';
  for (let line = first; line < last; line++) {
    let names = '';
    eachLabelName(bytes, lines[line]!, (from, to) => {
      names += `${bytes.toString('latin1', from, to)},`;
    });
    if (names === before) continue;
    before = names;
    for (const name of names.split(',')) if (name !== '') labels.add(name);
  }
}
