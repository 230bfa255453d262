import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { EndpointLimits } from '../domain/endpoint-limits.js';
import type { Steps, Turns } from '../domain/turns.js';
import { countedSeries, type Exposition, type Family } from '../formats/family.js';
import { labelSetEnd, readLabels } from '../formats/syntax.js';
import type { Group, GroupStore } from '../storage/store.js';

/** A metric with what makes it so many series. */
export interface MetricCardinality {
  readonly name: string;
  readonly series: number;
  /** Endpoints that have it. */
  readonly endpoints: number;
  /** Its labels by how many values they have, most first. */
  readonly labels: readonly { readonly name: string; readonly values: number }[];
}

/** An endpoint with what it may hold. */
export interface EndpointCardinality {
  readonly metricsId: string;
  readonly series: number;
  /** Those of its own. */
  readonly limits: EndpointLimits;
}

/** Where the series of a project come from. */
export interface Cardinality {
  /** As they count towards the limit. */
  readonly series: number;
  /** Metrics there are. */
  readonly metricCount: number;
  /** Those with most series, most first. */
  readonly metrics: readonly MetricCardinality[];
  /** Those with most series, most first; none without any. */
  readonly endpoints: readonly EndpointCardinality[];
}

/** What the endpoints hold, before any relabeling: the `top` metrics and endpoints. */
export async function cardinalityOf(
  endpoints: readonly MetricsEndpoint[],
  top: number,
  { groups, turns }: { groups: Pick<GroupStore, 'snapshot'>; turns: Turns },
): Promise<Cardinality> {
  return turns.do(count(endpoints, await groups.snapshot(endpoints), top));
}

function* count(endpoints: readonly MetricsEndpoint[], snapshot: readonly Group[], top: number): Steps<Cardinality> {
  const found = new Map<string, Holding[]>();
  const held = new Map<number, number>();
  let series = 0;
  for (const { exposition, endpointId } of snapshot) {
    const counted = countedSeries(exposition);
    series += counted;
    held.set(endpointId, (held.get(endpointId) ?? 0) + counted);
    for (const family of exposition.families) {
      const holdings = found.get(family.header.name);
      if (holdings === undefined) found.set(family.header.name, [{ exposition, family, endpointId }]);
      else holdings.push({ exposition, family, endpointId });
    }
  }
  const largest = [...found]
    .map(([name, holdings]) => ({
      name,
      holdings,
      series: holdings.reduce((sum, { family: f }) => sum + f.last - f.first, 0),
    }))
    .sort((a, b) => b.series - a.series || (a.name < b.name ? -1 : 1))
    .slice(0, top);
  const metrics: MetricCardinality[] = [];
  for (const { name, holdings, series: ofMetric } of largest) {
    const of = new Set(holdings.map(({ endpointId }) => endpointId));
    metrics.push({ name, series: ofMetric, endpoints: of.size, labels: yield* labelsOf(holdings) });
  }
  const fullest = endpoints
    .flatMap(({ id, metricsId, limits }) => {
      const ofEndpoint = held.get(id) ?? 0;
      return ofEndpoint === 0 ? [] : [{ metricsId, series: ofEndpoint, limits }];
    })
    .sort((a, b) => b.series - a.series || (a.metricsId < b.metricsId ? -1 : 1))
    .slice(0, top);
  return { series, metricCount: found.size, metrics, endpoints: fullest };
}

interface Holding {
  readonly exposition: Exposition;
  readonly family: Family;
  readonly endpointId: number;
}

function* labelsOf(holdings: readonly Holding[]): Steps<MetricCardinality['labels']> {
  const values = new Map<string, Set<string>>();
  for (const { exposition, family } of holdings) {
    for (let line = family.first; line < family.last; line++) {
      if ((line & 0x3f) === 0) yield;
      for (const [label, value] of labelsAt(exposition, line)) {
        let known = values.get(label);
        if (known === undefined) {
          known = new Set();
          values.set(label, known);
        }
        known.add(value);
      }
    }
  }
  return [...values]
    .map(([name, known]) => ({ name, values: known.size }))
    .sort((a, b) => b.values - a.values || (a.name < b.name ? -1 : 1));
}

function labelsAt({ bytes, lines }: Exposition, line: number): [string, string][] {
  const start = bytes.indexOf(0x7b, lines[line]!) + 1;
  return readLabels(bytes.toString('utf8', start, labelSetEnd(bytes, lines[line]!) - 1));
}
