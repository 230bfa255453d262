import { instanceLabel, type MetricsEndpoint, reservedMetricPrefix } from '../domain/endpoint.js';
import { type LimitsAt, ownerOf } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { type LimitOwner, limitExceeded, metricLimitExceeded } from '../domain/limits.js';
import { checkSampleLimit } from '../domain/source.js';
import type { Turns } from '../domain/turns.js';
import { concatFamilies, countedSeries, type Exposition, emptyExposition, seriesCount } from '../formats/family.js';
import { claimedNames, openMetricsName } from '../formats/openmetrics-rules.js';
import { parseSteps, type Syntax } from '../formats/parse.js';
import { seriesIdentity } from '../formats/syntax.js';
import type { GroupKey, GroupStore, GroupView } from '../storage/store.js';
import type { SampleRate } from './rate.js';

export interface Push {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
  readonly group: GroupKey;
  /** PUT replaces the group; POST only the families with the names it brings. */
  readonly mode: 'replace-group' | 'replace-families';
  readonly syntax: Syntax;
  readonly body: Buffer;
  /** Told when the body was read, or refused: its bytes may be used for something else then. */
  readonly onRead?: () => void;
}

/** What a source gave when it was asked. */
export interface Pull {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
  /** Its labels are put on every series. */
  readonly group: GroupKey;
  readonly syntax: Syntax;
  readonly body: Buffer;
  /** What becomes of it before it is checked and stored. */
  readonly relabel: (exposition: Exposition) => Exposition;
  /** How long it is served, milliseconds. */
  readonly lifetimeMs: number;
  /** Series of the source; 0 for no limit of its own. */
  readonly sampleLimit: number;
  /** Asked when the turn to write has come: the source may have been changed or deleted meanwhile. */
  readonly isWanted: () => boolean;
}

/**
 * Takes pushes in: the whole body is checked, against itself, the limits and what the endpoint holds, before anything
 * is stored; resolves when it is on disk.
 */
export class Ingest {
  private readonly groups: GroupStore;
  private readonly rate: SampleRate;
  private readonly turns: Turns;

  constructor(groups: GroupStore, rate: SampleRate, turns: Turns) {
    this.groups = groups;
    this.rate = rate;
    this.turns = turns;
  }

  /**
   * Gives the number of samples stored. Throws `invalid`, `limit_exceeded` or `rate_limited`, having stored nothing.
   */
  async push({ endpoint, limits, group, mode, syntax, body, onRead }: Push): Promise<number> {
    const parsing = parseSteps(body, {
      syntax,
      labels: [[instanceLabel, endpoint.metricsId], ...group.labels],
      limits,
      reservedPrefix: reservedMetricPrefix,
      previous: this.groups.peek(endpoint.id, group.text)?.exposition,
    });
    const pushed = await this.turns.do(parsing, endpoint.id).finally(onRead);
    this.rate.take(endpoint, seriesCount(pushed), limits);
    await this.groups.update(endpoint, group, (view) => {
      const put =
        mode === 'replace-group' ? pushed : replaceFamilies(view.current?.exposition ?? emptyExposition, pushed);
      checkAgainstOthers(put, view);
      checkSeriesLimit(put, view, limits);
      checkMetricLimit(put, view, limits);
      return { put };
    });
    return seriesCount(pushed);
  }

  /**
   * Puts what a source gave in the place of what it gave before, under the rules of pushes, but for `samples_per_second`:
   * the operator chose the interval. Times on samples are dropped. Gives the number of samples stored; throws like `push`.
   */
  async pull({
    endpoint,
    limits,
    group,
    syntax,
    body,
    relabel,
    lifetimeMs,
    sampleLimit,
    isWanted,
  }: Pull): Promise<number> {
    const before = this.groups.peek(endpoint.id, group.text);
    const hasItsLabels = JSON.stringify(before?.key.labels) === JSON.stringify(group.labels);
    const parsing = parseSteps(body, {
      syntax,
      labels: [[instanceLabel, endpoint.metricsId], ...group.labels],
      limits,
      reservedPrefix: reservedMetricPrefix,
      timestamps: 'drop',
      previous: hasItsLabels ? before?.exposition : undefined,
    });
    const put = relabel(await this.turns.do(parsing, endpoint.id));
    const series = seriesCount(put);
    checkSampleLimit(series, sampleLimit);
    await this.groups.update(endpoint, group, (view) => {
      if (!isWanted()) throw new WeirError('conflict', 'The source was changed while it was asked.');
      checkAgainstOthers(put, view);
      checkSeriesLimit(put, view, limits);
      checkMetricLimit(put, view, limits);
      return { put, lifetimeMs };
    });
    return series;
  }

  async delete(endpoint: MetricsEndpoint, group: GroupKey): Promise<void> {
    // Not before what came before it.
    await this.turns.after(endpoint.id);
    await this.groups.update(endpoint, group, () => ({ remove: true }));
  }
}

/** What stays of the group, with the pushed families in the place of their namesakes. */
function replaceFamilies(current: Exposition, pushed: Exposition): Exposition {
  const names = new Set(pushed.families.map(({ header }) => header.name));
  const kept = current.families.filter(({ header }) => !names.has(header.name));
  if (kept.length === 0) return pushed;
  const claimed = new Set(pushed.families.flatMap(({ header }) => sampleNames(header)));
  for (const { header } of kept) {
    if (sampleNames(header).some((name) => claimed.has(name))) {
      throw conflict(
        `the pushed families have sample names of "${header.name}" (${header.type}), which the group holds already`,
      );
    }
  }
  return concatFamilies([
    ...kept.map((family) => ({ exposition: current, family })),
    ...pushed.families.map((family) => ({ exposition: pushed, family })),
  ]);
}

const sampleNames = (header: Exposition['families'][number]['header']): string[] =>
  header.type === 'counter' ? [header.name] : claimedNames(openMetricsName(header) ?? header.name, header.type);

/** One type per family and no series twice within an endpoint, as the Pushgateway checks it. */
function checkAgainstOthers(put: Exposition, view: GroupView): void {
  // Families that were stored already agree with the others.
  const isKnown = put.families === view.current?.exposition.families;
  for (const { header } of isKnown ? [] : put.families) {
    const elsewhere = view.typeElsewhere(header.name);
    if (elsewhere !== undefined && elsewhere !== header.type) {
      throw conflict(
        `"${header.name}" is pushed as ${header.type}, but another push group or source of the endpoint has it as ${elsewhere}`,
      );
    }
  }
  const others = view.compatible();
  if (others.length === 0) return;
  const own = identities(put);
  for (const { exposition } of others) {
    for (const identity of identities(exposition)) {
      if (own.has(identity))
        throw conflict(`the series ${identity} is in another push group or source of the endpoint already`);
    }
  }
}

function identities({ bytes, lines }: Exposition): Set<string> {
  const found = new Set<string>();
  for (let line = 0; line < lines.length - 1; line++) found.add(seriesIdentity(bytes, lines[line]!));
  return found;
}

function checkSeriesLimit(put: Exposition, view: GroupView, { series, own }: LimitsAt): void {
  const before = view.current === undefined ? 0 : countedSeries(view.current.exposition);
  const gained = countedSeries(put) - before;
  // A push that does not add series may pass even when the limit was lowered below what there is.
  if (gained <= 0) return;
  const check = (of: LimitOwner, max: number, held: number): void => {
    if (max === 0 || held + gained <= max) return;
    view.refuse('series', countedSeries(put));
    throw limitExceeded('series', max, held + gained, { of });
  };
  if (own?.series !== undefined) check('endpoint', own.series, view.endpointSeries());
  check('project', series, view.projectSeries);
}

/** Of each metric (family), in all groups of the endpoint; a push that adds no series of it passes. */
function checkMetricLimit(put: Exposition, view: GroupView, limits: LimitsAt): void {
  const { series_per_metric: max } = limits;
  if (max === 0) return;
  const { families = [] } = view.current?.exposition ?? {};
  if (put.families === families) return;
  const before = new Map(families.map(({ header, first, last }) => [header.name, last - first]));
  const after = new Map<string, number>();
  for (const { header, first, last } of put.families) {
    after.set(header.name, (after.get(header.name) ?? 0) + last - first);
  }
  for (const [name, own] of after) {
    const gained = own - (before.get(name) ?? 0);
    const total = view.seriesOf(name) + gained;
    if (gained > 0 && total > max) {
      view.refuse('series_per_metric', seriesCount(put));
      throw metricLimitExceeded(name, max, total, ownerOf(limits, 'series_per_metric'));
    }
  }
}

const conflict = (what: string): WeirError =>
  new WeirError('invalid', `The push contradicts what is stored: ${what}. Nothing was changed.`);
