import { Counter, Gauge, Registry } from 'prom-client';
import { systemClock } from '../../src/domain/clock.js';
import { instanceLabel, type MetricsEndpoint, reservedMetricPrefix } from '../../src/domain/endpoint.js';
import { defaultLimits } from '../../src/domain/limits.js';
import { noRelabeling } from '../../src/domain/relabel.js';
import { Turns } from '../../src/domain/turns.js';
import type { Exposition } from '../../src/formats/family.js';
import type { PageFormat } from '../../src/formats/negotiate.js';
import { parseExposition } from '../../src/formats/parse.js';
import { Pages, pageLifetimeMs } from '../../src/scrape/pages.js';
import type { Group, GroupKey, GroupStore } from '../../src/storage/store.js';
import { alternate, type Rounds } from './harness.js';
import { plainFamilies } from './series.js';

export interface Sides {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** Milliseconds of CPU a page, one figure per round. */
export interface RenderReport {
  readonly text: Sides;
  readonly openMetrics?: Sides;
  readonly withParse?: Sides;
  readonly bytes: number;
}

const groupCount = 10;
const families = plainFamilies(1000);
/** Pages with different values, rendered in turn. */
const versions = 4;

const endpoint: MetricsEndpoint = {
  id: 1,
  projectId: 'bench',
  metricsId: 'one',
  name: 'One',
  lifetimeMs: 300_000,
  timestamps: false,
  metadata: {},
  limits: {},
  ...noRelabeling,
  version: 1,
  createdAt: 0,
};

const keys: GroupKey[] = Array.from({ length: groupCount }, (_, group) => {
  const labels = [['instance', String(group)] as const, ['job', 'bench'] as const];
  return { text: JSON.stringify(labels), labels };
});

/** Counters rise with the version; no two values are alike. */
const sampleValue = (type: string, version: number, group: number, series: number): number =>
  type === 'counter'
    ? (version + 1) * 1_000_003 + group * 7919 + series * 31
    : Math.round(1000 * (1 + Math.sin(version * 3 + group * 5 + series)) * 10 ** (series % 6)) / 1000;

/** The body that group pushes, as text. */
function bodyOf(version: number, group: number): Buffer {
  let text = '';
  for (const { name, type, help, series } of families) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const [i, { labels }] of series.entries()) {
      const pairs = labels.map(([label, value]) => `${label}="${value}"`).join(',');
      text += `${name}{${pairs}} ${sampleValue(type, version, group, i)}\n`;
    }
  }
  return Buffer.from(text);
}

function parse(body: Buffer, group: number, previous: Exposition | undefined): Exposition {
  return parseExposition(body, {
    syntax: 'text',
    labels: [[instanceLabel, endpoint.metricsId], ...keys[group]!.labels],
    limits: defaultLimits,
    reservedPrefix: reservedMetricPrefix,
    previous,
  });
}

/** Our side: the real page cache over groups that are handed over as the store hands them over. */
class Ours {
  private readonly snapshots: Group[][] = [];
  private readonly bodies: Buffer[][] = [];
  private readonly pages: Pages;
  private current = 0;
  private now = Date.UTC(2026, 0, 1);

  constructor() {
    for (let version = 0; version < versions; version++) {
      const bodies = keys.map((_, group) => bodyOf(version, group));
      this.bodies.push(bodies);
      this.snapshots.push(keys.map((_, group) => this.group(group, parse(bodies[group]!, group, undefined))));
    }
    const clock = { now: () => this.now, monotonic: () => this.now };
    const groups = { snapshot: async () => this.snapshots[this.current]! } as Partial<GroupStore> as GroupStore;
    this.pages = new Pages({
      groups,
      turns: new Turns(systemClock),
      sourcesOf: () => [],
      refusedOf: () => undefined,
      clock,
      memoryBytes: 256 * 1024 * 1024,
    });
  }

  /** Everything pushed anew, and the page in the cache out of date. */
  change(version: number): void {
    this.current = version % versions;
    this.now += pageLifetimeMs + 1;
  }

  async render(format: PageFormat): Promise<Buffer> {
    return (await this.pages.get({ key: 'one', endpoints: [endpoint] }, format)).identity;
  }

  /** What the ten pushes since the last page cost: the repeat path of the parser, mostly. */
  receive(): void {
    const before = this.snapshots[(this.current + versions - 1) % versions]!;
    this.snapshots[this.current] = keys.map((_, group) =>
      this.group(group, parse(this.bodies[this.current]![group]!, group, before[group]!.exposition)),
    );
  }

  private group(group: number, exposition: Exposition): Group {
    const pushedAt = Date.UTC(2026, 0, 1);
    return { endpointId: 1, key: keys[group]!, exposition, pushedAt, expiresAt: null, version: 1 };
  }
}

/** Their side: the same series as gauges and counters of a registry. */
class Theirs {
  private readonly registry: Registry;
  private readonly sets: ((version: number) => void)[] = [];

  constructor(format: PageFormat) {
    this.registry = new Registry();
    if (format === 'openmetrics') this.registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
    for (const { name, type, help, series } of families) {
      const own = [instanceLabel, 'instance', 'job'];
      const options = { name, help, labelNames: [...series[0]!.labels.map(([label]) => label), ...own] };
      const metric = new (type === 'counter' ? Counter : Gauge)({ ...options, registers: [this.registry] });
      for (const [group, { labels }] of keys.entries()) {
        for (const [i, pushed] of series.entries()) {
          const all = Object.fromEntries([...pushed.labels, [instanceLabel, endpoint.metricsId], ...labels]);
          let last = 0;
          this.sets.push((version) => {
            const value = sampleValue(type, version, group, i);
            if (metric instanceof Gauge) metric.set(all, value);
            else metric.inc(all, value - last);
            last = value;
          });
        }
      }
    }
  }

  change(version: number): void {
    for (const set of this.sets) set(version);
  }

  async render(): Promise<Buffer> {
    return Buffer.from(await this.registry.metrics());
  }
}

/** Milliseconds of CPU, all threads, of one turn of the work; what happens between turns is not counted. */
async function cpuOf(turns: number, between: (turn: number) => void, work: () => Promise<unknown>): Promise<number> {
  globalThis.gc!();
  let micros = 0;
  for (let turn = 0; turn < turns; turn++) {
    between(turn);
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    micros += user + system;
  }
  return micros / turns / 1000;
}

const sides = ({ subject, reference }: Rounds): Sides => ({ ours: subject, theirs: reference });

async function compare(rounds: number, format: PageFormat, withParse: boolean): Promise<Sides> {
  const ours = new Ours();
  const theirs = new Theirs(format);
  let version = 0;
  const oursOnce = async (): Promise<void> => {
    if (withParse) ours.receive();
    await ours.render(format);
  };
  // Counters only rise, so prom-client's versions go on and on.
  return sides(
    await alternate(
      { rounds, seconds: 0, warmUpSeconds: 0 },
      () => cpuOf(300, (turn) => ours.change(turn), oursOnce),
      () =>
        cpuOf(
          8,
          () => theirs.change(version++),
          () => theirs.render(),
        ),
    ),
  );
}

/** Both must say the same before it is worth measuring how fast they say it. */
async function assertSame(): Promise<number> {
  const ours = new Ours();
  const theirs = new Theirs('text');
  ours.change(0);
  theirs.change(0);
  const page = await ours.render('text');
  const samples = (text: Buffer): string[] =>
    text
      .toString()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(reservedMetricPrefix))
      .sort();
  const [a, b] = [samples(page), samples(await theirs.render())];
  const differs = a.findIndex((line, i) => line !== b[i]);
  if (a.length !== groupCount * 1000 || a.length !== b.length || differs >= 0) {
    throw new Error(`the pages differ: ${a.length} and ${b.length} samples\n${a[differs]}\n${b[differs]}`);
  }
  return page.length;
}

const rounds = Number(process.argv[2]);
const bytes = await assertSame();
const text = await compare(rounds, 'text', false);
const extras = process.argv[3] === 'extras' && {
  openMetrics: await compare(rounds, 'openmetrics', false),
  withParse: await compare(rounds, 'text', true),
};
const report: RenderReport = { text, bytes, ...(extras || {}) };
process.stdout.write(JSON.stringify(report));
