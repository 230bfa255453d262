import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Steps, Turns } from '../domain/turns.js';
import type { Exposition, Family } from '../formats/family.js';
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

/** Where the series of a project come from. */
export interface Cardinality {
  /** As they count towards the limit. */
  readonly series: number;
  /** Metrics there are. */
  readonly metricCount: number;
  /** Those with most series, most first. */
  readonly metrics: readonly MetricCardinality[];
}

/** What the endpoints hold, before any relabeling: the `top` metrics. */
export async function cardinalityOf(
  endpoints: readonly MetricsEndpoint[],
  top: number,
  { groups, turns }: { groups: Pick<GroupStore, 'snapshot'>; turns: Turns },
): Promise<Cardinality> {
  return turns.do(count(await groups.snapshot(endpoints), top));
}

function* count(snapshot: readonly Group[], top: number): Steps<Cardinality> {
  const found = new Map<string, Holding[]>();
  let series = 0;
  for (const { exposition, endpointId } of snapshot) {
    for (const family of exposition.families) {
      series += family.last - family.first;
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
  return { series, metricCount: found.size, metrics };
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
