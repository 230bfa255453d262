import { LRUCache } from 'lru-cache';
import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { type SourceState, sourceOfGroup } from '../domain/source.js';
import { type Steps, type Turns, within } from '../domain/turns.js';
import type { PageFormat } from '../formats/negotiate.js';
import { type PagePart, pageSteps } from '../formats/page.js';
import { pickSeries } from '../formats/pick.js';
import type { LabelsOf } from '../formats/selector.js';
import type { Group, GroupStore } from '../storage/store.js';
import { type Assembly, assemble } from './assembly.js';
import { compress } from './compress.js';
import type { OwnSeriesOf } from './own-series.js';
import { Relabelings } from './relabelings.js';

/** How long a page is served without looking again. */
export const pageLifetimeMs = 30_000;

/** What a page is of: endpoints with their settings, named by `key`, whoever asks for it. */
export interface PageTarget {
  readonly key: string;
  readonly endpoints: readonly MetricsEndpoint[];
}

/** What of a page is wanted, named by `key`. */
export interface Selection {
  readonly key: string;
  /** Throws `invalid` when it cannot be understood. */
  readonly compile: () => (label: LabelsOf) => boolean;
}

/** A page, and how long it is good. */
interface Drawn {
  readonly page: Page;
  readonly ttlMs: number;
}

/** On the wall, and monotonic. */
interface Moment {
  readonly now: number;
  readonly madeAt: number;
}

interface Wanted {
  readonly target: PageTarget;
  readonly format: PageFormat;
  readonly selection?: Selection;
}

export type Completeness = 'complete' | 'partial';

/** One rendered page, in the two encodings a scraper can ask for. */
export class Page {
  readonly format: PageFormat;
  readonly completeness: Completeness;
  readonly identity: Buffer;
  /** Monotonic time of its snapshot. */
  readonly madeAt: number;
  /** There once somebody has asked for it. */
  gzipped: Buffer | undefined;
  private compressing: Promise<Buffer> | undefined;

  constructor(format: PageFormat, identity: Buffer, madeAt: number, completeness: Completeness) {
    this.format = format;
    this.completeness = completeness;
    this.identity = identity;
    this.madeAt = madeAt;
  }

  /** Made once, off the event loop. */
  gzip(): Promise<Buffer> {
    this.compressing ??= compress(this.identity).then((gzipped) => {
      this.gzipped = gzipped;
      return gzipped;
    });
    return this.compressing;
  }
}

export interface PagesOptions {
  readonly groups: GroupStore;
  /** The sources of an endpoint, by its storage identity. */
  readonly sourcesOf: (endpointId: number) => readonly SourceState[];
  readonly refusedOf: OwnSeriesOf['refusedOf'];
  readonly clock: Clock;
  readonly turns: Turns;
  /** Budget of the cache, identity and gzip together. */
  readonly memoryBytes: number;
  readonly onRender?: (seconds: number, bytes: number) => void;
}

/** The pages served within the last 30 s. Misses for the same page wait for one rendering. */
export class Pages {
  private readonly cache: LRUCache<string, Page, Wanted>;
  /** Beside the others: however many selections are asked for, no whole page has to give way. */
  private readonly selected: LRUCache<string, Page, Wanted>;
  private readonly options: PagesOptions;
  private readonly relabelings = new Relabelings();

  constructor(options: PagesOptions) {
    this.options = options;
    this.cache = this.openCache(options.memoryBytes);
    this.selected = this.openCache(Math.ceil(options.memoryBytes / 8));
  }

  private openCache(maxSize: number): LRUCache<string, Page, Wanted> {
    const { clock } = this.options;
    return new LRUCache({
      maxSize,
      // gzip comes later and is a tenth at most.
      sizeCalculation: (page) => Math.ceil(page.identity.length * 1.1) + 1024,
      ttl: pageLifetimeMs,
      ttlResolution: 0,
      // Who waits for a rendering that `refresh` has overtaken still gets it; the cache keeps the newer one.
      ignoreFetchAbort: true,
      perf: { now: () => clock.monotonic() },
      fetchMethod: async (_key, _stale, { context, options: entry }) => {
        const { page, ttlMs } = await this.render(context);
        entry.ttl = ttlMs;
        return page;
      },
    });
  }

  /** The page if it is in the cache: no waiting. */
  peek(target: PageTarget, format: PageFormat): Page | undefined {
    return this.cache.get(cacheKey(target, format));
  }

  async get(target: PageTarget, format: PageFormat): Promise<Page> {
    const page = await this.cache.fetch(cacheKey(target, format), { context: { target, format } });
    return page!;
  }

  /** As `peek`, of the series that are selected. */
  peekSelected(target: PageTarget, format: PageFormat, { key }: Selection): Page | undefined {
    return this.selected.get(`${cacheKey(target, format)} ${key}`);
  }

  /** Throws `limit_exceeded` when selecting takes too long. */
  async getSelected(target: PageTarget, format: PageFormat, selection: Selection): Promise<Page> {
    const key = `${cacheKey(target, format)} ${selection.key}`;
    const page = await this.selected.fetch(key, { context: { target, format, selection } });
    return page!;
  }

  /**
   * Takes a snapshot now, and gives the page of it in the text format. What the cache holds of the target, in either
   * format, and of `parts` of it, is made anew from the same snapshot: who scrapes from now on sees these values.
   */
  async refresh(target: PageTarget, parts: readonly PageTarget[]): Promise<{ text: Buffer; at: number }> {
    const moment = this.moment();
    const snapshot = await this.snapshot(target);
    const text = await this.draw(target, 'text', snapshot, moment);
    const put = (key: string, { page, ttlMs }: Drawn): void => {
      // Another one may have begun later and ended earlier.
      if ((this.cache.peek(key)?.madeAt ?? 0) <= page.madeAt) this.cache.set(key, page, { ttl: ttlMs });
    };
    if (this.hasOnlyDeadSources(target, snapshot)) this.cache.delete(cacheKey(target, 'text'));
    else put(cacheKey(target, 'text'), text);
    for (const each of [target, ...parts]) {
      const ids = new Set(each.endpoints.map(({ id }) => id));
      for (const format of ['text', 'openmetrics'] as const) {
        const key = cacheKey(each, format);
        if ((each === target && format === 'text') || !this.cache.has(key)) continue;
        const ofEach = each === target ? snapshot : snapshot.filter(({ endpointId }) => ids.has(endpointId));
        if (this.hasOnlyDeadSources(each, ofEach)) {
          this.cache.delete(key);
          continue;
        }
        put(key, await this.draw(each, format, ofEach, moment));
      }
    }
    return { text: text.page.identity, at: moment.now };
  }

  /** What a page of the target would be made of now, endpoint by endpoint. */
  async parts(target: PageTarget): Promise<{ endpoint: MetricsEndpoint; parts: PagePart[] }[]> {
    const { now } = this.moment();
    const snapshot = await this.snapshot(target);
    const groups = new Map<number, Group[]>(target.endpoints.map(({ id }) => [id, []]));
    for (const group of snapshot) groups.get(group.endpointId)!.push(group);
    const all: { endpoint: MetricsEndpoint; parts: PagePart[] }[] = [];
    for (const endpoint of target.endpoints) {
      const { parts } = await this.options.turns.do(this.assemble([endpoint], groups.get(endpoint.id)!, now));
      all.push({ endpoint, parts });
    }
    return all;
  }

  /** Throws `unavailable` when there is nothing to serve but there should be. */
  private async render({ target, format, selection }: Wanted): Promise<Drawn> {
    const selects = selection?.compile();
    const moment = this.moment();
    const snapshot = await this.snapshot(target);
    if (this.hasOnlyDeadSources(target, snapshot)) {
      throw new WeirError('unavailable', 'No source of this page answers, and what they gave before is too old.', {
        retryAfterSeconds: 5,
      });
    }
    return this.draw(target, format, snapshot, moment, selects);
  }

  /** Of a snapshot that is asked for next: what it is of is taken at once, and written down in several turns. */
  private moment(): Moment {
    const { clock } = this.options;
    return { now: clock.now(), madeAt: clock.monotonic() };
  }

  private snapshot({ endpoints }: PageTarget): Promise<Group[]> {
    return this.options.groups.snapshot(endpoints).catch((error: unknown) => {
      const sentence = 'The page cannot be read at the moment; the next scrape may succeed.';
      throw new WeirError('unavailable', sentence, { retryAfterSeconds: 5 }, error);
    });
  }

  private assemble(endpoints: readonly MetricsEndpoint[], snapshot: readonly Group[], now: number): Steps<Assembly> {
    const sources = endpoints.flatMap(({ id }) => this.options.sourcesOf(id));
    const { refusedOf } = this.options;
    return assemble({ endpoints, groups: snapshot, sources, now, refusedOf }, this.relabelings);
  }

  private sourcesOf({ endpoints }: PageTarget): SourceState[] {
    return endpoints.flatMap(({ id }) => this.options.sourcesOf(id));
  }

  /** There is nothing to serve, and there should be. */
  private hasOnlyDeadSources(target: PageTarget, snapshot: readonly Group[]): boolean {
    return snapshot.length === 0 && this.sourcesOf(target).length > 0;
  }

  private async draw(
    target: PageTarget,
    format: PageFormat,
    snapshot: readonly Group[],
    { now, madeAt }: Moment,
    selects?: (label: LabelsOf) => boolean,
  ): Promise<Drawn> {
    const { onRender, turns, clock } = this.options;
    const completeness = completenessOf(this.sourcesOf(target), snapshot);
    const { bytes, tookMs } = await turns.do(drawing(this.assemble(target.endpoints, snapshot, now), format, selects));
    onRender?.(tookMs / 1000, bytes.length);
    const page = new Page(format, bytes, madeAt, completeness);
    const lifetimeMs = Math.min(pageLifetimeMs, earliestEnd(snapshot) - now);
    return { page, ttlMs: Math.max(1, lifetimeMs - (clock.monotonic() - madeAt)) };
  }
}

/** The bytes of a page, and how long they were worked at. */
function* drawing(
  assembly: Steps<Assembly>,
  format: PageFormat,
  selects: ((label: LabelsOf) => boolean) | undefined,
): Steps<{ bytes: Buffer; tookMs: number }> {
  const began = yield;
  const { parts } = yield* assembly;
  const selected = selects === undefined ? parts : yield* within(longestSelectMs, select(parts, selects), tooLong);
  const bytes = yield* pageSteps(selected, format);
  return { bytes, tookMs: (yield) - began };
}

/** An expression that takes longer than this has no place on a page. */
const longestSelectMs = 500;

const tooLong = (): WeirError =>
  new WeirError('limit_exceeded', 'Selecting the series takes too long; write simpler expressions.', {
    field: 'match[]',
  });

function* select(parts: readonly PagePart[], selects: (label: LabelsOf) => boolean): Steps<PagePart[]> {
  const selected: PagePart[] = [];
  for (const part of parts) {
    const picked = yield* pickSeries(part, selects);
    if (picked.exposition.families.length > 0) selected.push(picked);
  }
  return selected;
}

/** Whether every source has answered in full, and what it gave is there. */
function completenessOf(sources: readonly SourceState[], snapshot: readonly Group[]): Completeness {
  if (sources.length === 0) return 'complete';
  const there = new Set(snapshot.map(({ key }) => sourceOfGroup(key.text)));
  const isWhole = sources.every(({ id, up, complete }) => complete && up !== false && there.has(id));
  return isWhole ? 'complete' : 'partial';
}

const cacheKey = (target: PageTarget, format: PageFormat): string =>
  format === 'text' ? target.key : `${target.key} openmetrics`;

function earliestEnd(groups: readonly Group[]): number {
  let end = Number.POSITIVE_INFINITY;
  for (const { expiresAt } of groups) if (expiresAt !== null && expiresAt < end) end = expiresAt;
  return end;
}
