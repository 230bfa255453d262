import { instanceLabel, type MetricsEndpoint } from '../domain/endpoint.js';
import { type SourceState, sourceOfGroup } from '../domain/source.js';
import type { Family, FamilyHeader } from '../formats/family.js';
import type { PagePart } from '../formats/page.js';
import { leftOutReasons, type RelabelCounts } from '../formats/relabel/parts.js';
import { escapeLabelValue, secondsOf } from '../formats/syntax.js';
import { type Refused, refusalReasons } from '../storage/refusals.js';
import type { Group } from '../storage/store.js';

const snapshotTime: FamilyHeader = {
  name: 'weir_snapshot_timestamp_seconds',
  type: 'gauge',
  help: 'When the gateway took the snapshot this page shows, in seconds since the epoch.',
  unit: 'seconds',
};
const lastPush: FamilyHeader = {
  name: 'weir_group_last_push_timestamp_seconds',
  type: 'gauge',
  help: 'When the push group was last pushed, in seconds since the epoch.',
  unit: 'seconds',
};

const lastSample: FamilyHeader = {
  name: 'weir_live_last_sample_timestamp_seconds',
  type: 'gauge',
  help: 'When the last sample of the series that come by remote write, OTLP or StatsD came, in seconds since the epoch.',
  unit: 'seconds',
};

const sourceUp: FamilyHeader = {
  name: 'weir_source_up',
  type: 'gauge',
  help: 'Whether the source answered when it was last asked; 0: its last series are served until they are too old.',
};
const sourceComplete: FamilyHeader = {
  name: 'weir_source_complete',
  type: 'gauge',
  help: 'Whether the last answer of the source was whole; 0: it said that something is missing.',
};
const sourcePull: FamilyHeader = {
  name: 'weir_source_last_success_timestamp_seconds',
  type: 'gauge',
  help: 'When the source last answered, in seconds since the epoch: the age of its series.',
  unit: 'seconds',
};

const leftOutSeries: FamilyHeader = {
  name: 'weir_endpoint_left_out_series',
  type: 'gauge',
  help:
    'Series of the endpoint that are not on this page: by a rule, as a duplicate of another after relabeling, or with an ' +
    'invalid name or label.',
};

const refusedSeries: FamilyHeader = {
  name: 'weir_endpoint_refused_series_total',
  type: 'counter',
  help:
    'Series that were not taken, each time they came, by the limit that refused them or because they are invalid. Since ' +
    'the gateway was started; absent while there are none.',
};

export interface OwnSeriesOf {
  readonly endpoints: readonly MetricsEndpoint[];
  readonly groups: readonly Group[];
  readonly sources: readonly SourceState[];
  readonly now: number;
  /** By endpoint id, of those with relabeling. */
  readonly relabeled: ReadonlyMap<number, RelabelCounts>;
  /** By endpoint id, what was refused. */
  readonly refusedOf: (endpointId: number) => Refused | undefined;
}

/**
 * What every page says about itself: the age of its snapshot, of each group and of each source, and what relabeling left
 * out. Never timestamped.
 */
export function ownSeries({ endpoints, groups, sources, now, relabeled, refusedOf }: OwnSeriesOf): PagePart {
  const metricsIds = new Map(endpoints.map(({ id, metricsId }) => [id, metricsId]));
  const taken = endpoints.map(({ metricsId }) => `${series(snapshotTime, metricsId)} ${secondsOf(now)}\n`);
  const said = (header: FamilyHeader, some: readonly Group[]): string[] =>
    some.map(
      ({ endpointId, key, pushedAt }) =>
        `${series(header, metricsIds.get(endpointId)!, key.labels)} ${secondsOf(pushedAt)}\n`,
    );
  const pulledAt = new Map(groups.map(({ key, pushedAt }) => [sourceOfGroup(key.text), pushedAt]));
  const ofSources = (header: FamilyHeader, value: (state: SourceState, at: number | undefined) => string | undefined) =>
    sources.flatMap((state) => {
      const said = value(state, pulledAt.get(state.id));
      const name = series(header, metricsIds.get(state.endpointId)!, [['source', state.name]]);
      return said === undefined ? [] : [`${name} ${said}\n`];
    });
  const parts: [FamilyHeader, string[]][] = [
    [snapshotTime, taken.length > 0 ? taken : [`${snapshotTime.name}{} ${secondsOf(now)}\n`]],
    [
      lastPush,
      said(
        lastPush,
        groups.filter(({ times, key }) => times === undefined && sourceOfGroup(key.text) === undefined),
      ),
    ],
    [
      lastSample,
      said(
        lastSample,
        groups.filter(({ times }) => times !== undefined),
      ),
    ],
    // Before the first answer of this process, what is there is what came before it was started.
    [sourceUp, ofSources(sourceUp, ({ up }, at) => ((up ?? at !== undefined) ? '1' : '0'))],
    [sourceComplete, ofSources(sourceComplete, ({ complete }, at) => (complete && at !== undefined ? '1' : '0'))],
    [
      sourcePull,
      ofSources(sourcePull, (state, at) => {
        const time = at ?? state.pulledAt;
        return time === undefined ? undefined : secondsOf(time);
      }),
    ],
  ];
  const leftOut = [...relabeled].flatMap(([endpointId, counts]) =>
    leftOutReasons.map((reason) => {
      const labels = [['reason', reason]] as const;
      return `${series(leftOutSeries, metricsIds.get(endpointId)!, labels)} ${counts.leftOut[reason]}\n`;
    }),
  );
  const refused = endpoints.flatMap(({ id, metricsId }) => {
    const counts = refusedOf(id);
    if (counts === undefined) return [];
    return refusalReasons.map(
      (reason) => `${series(refusedSeries, metricsId, [['reason', reason]])} ${counts[reason]}\n`,
    );
  });
  parts.push([leftOutSeries, leftOut], [refusedSeries, refused]);
  const all: string[] = [];
  const families: Family[] = [];
  for (const [header, some] of parts) {
    if (some.length > 0) families.push({ header, first: all.length, last: all.length + some.length, exemplars: false });
    all.push(...some);
  }
  const lines = new Uint32Array(all.length + 1);
  for (let line = 0; line < all.length; line++) lines[line + 1] = lines[line]! + Buffer.byteLength(all[line]!);
  return { exposition: { families, lines, bytes: Buffer.from(all.join('')) } };
}

function series(header: FamilyHeader, metricsId: string, labels: readonly (readonly [string, string])[] = []): string {
  const pairs = [[instanceLabel, metricsId] as const, ...labels.filter(([, value]) => value !== '')];
  return `${header.name}{${pairs.map(([name, value]) => `${name}="${escapeLabelValue(value)}"`).join(',')}}`;
}
