import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FormatProxy, startFormatProxy } from '../support/format-proxy.js';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type StoredSeries, scrapeConfig } from '../support/prometheus-process.js';
import { clashingGroups, forbiddenGroups, openMetricsGroups, plainGroups } from '../support/pushed-corpus.js';
import { comparable, expectedSamples, groupPath, pushBody, sorted } from '../support/pushed-families.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const corpus = {
  plain: plainGroups,
  openmetrics: openMetricsGroups,
  forbidden: forbiddenGroups,
  clashing: clashingGroups,
};

let weir: WeirProcess;
let bearer: string;
let prometheus: PrometheusProcess;
let asAsked: FormatProxy;
let asText: FormatProxy;
let climbing: Producer;
let cachedClimbing: Producer;
let stopping: Producer;
let going: Producer;

const climbPerSecond = 5;
const fadingLifetime = 5;

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', ...Object.keys(corpus), 'cached');
  await weir.createEndpoint('acme', 'rising', '--lifetime', '2s');
  await weir.createEndpoint('acme', 'fading', '--lifetime', `${fadingLifetime}s`);
  bearer = await weir.bearer(await weir.createClient('acme', 'write:metrics'));
  for (const [metricsId, groups] of Object.entries(corpus)) {
    for (const group of groups) {
      await weir.push(`acme/${metricsId}/metrics${groupPath(group)}`, pushBody(group), bearer, group);
    }
  }
  asAsked = await startFormatProxy(programs);
  asText = await startFormatProxy(programs, 'text/plain;version=0.0.4');
  const jobs = [
    { name: 'endpoint', path: 'acme/plain/metrics', interval: '2s' },
    { name: 'project', path: 'acme/metrics', interval: '2s', proxyUrl: asAsked.url },
    { name: 'project-text', path: 'acme/metrics', interval: '2s', proxyUrl: asText.url },
    { name: 'rising', path: 'acme/rising/metrics', interval: '3s' },
    { name: 'cached', path: 'acme/cached/metrics', interval: '1s' },
    { name: 'fading', path: 'acme/fading/metrics', interval: '2s' },
  ];
  const client = await weir.createClient('acme', 'read:metrics');
  // Before the first scrape: a page without series stays in the cache for 30 s.
  const climb = (seconds: number): string => `climb_total ${seconds * climbPerSecond}`;
  climbing = await startProducer('rising', 'app', climb);
  cachedClimbing = await startProducer('cached', 'app', climb);
  stopping = await startProducer('fading', 'stopping', () => 'heartbeat 1');
  going = await startProducer('fading', 'going', () => 'heartbeat 1');
  prometheus = await PrometheusProcess.start(programs, scrapeConfig({ weir, client, jobs }));
  await prometheus.allUp();
});

describe('Prometheus with its oauth2 block and honor_labels', () => {
  it.concurrent('gets the project page in OpenMetrics, as it prefers, and in text 0.0.4', () => {
    expect([...asAsked.contentTypes]).toEqual(['application/openmetrics-text; version=1.0.0; charset=utf-8']);
    expect([...asText.contentTypes]).toEqual(['text/plain; version=0.0.4; charset=utf-8']);
  });

  it.concurrent.each([
    ['endpoint', ['plain']],
    ['project', Object.keys(corpus)],
    ['project-text', Object.keys(corpus)],
  ] as const)('stores every pushed value, under the same name in both formats: job %s', async (via, metricsIds) => {
    const pushed = metricsIds.flatMap((metricsId) =>
      corpus[metricsId as keyof typeof corpus].flatMap((group) => expectedSamples(group, metricsId, 'text')),
    );
    const target = { via, instance: new URL(weir.url).host };
    const expected = pushed.map(({ name, labels, value }) => ({
      name,
      labels: comparable({ ...target, ...labels }),
      value,
    }));
    const stored = await prometheus.query(`{via="${via}",instance_id=~"${metricsIds.join('|')}"}`);
    expect(sorted(stored.filter(isPushed).map(asSample))).toEqual(sorted(expected));
  });

  it.concurrent('computes the right rate() of a counter that is pushed all the time', async () => {
    const counter = 'climb_total{via="rising"}';
    // The endpoint's groups live for 2 s, and so do its pages: each scrape, every 3 s, sees a new one.
    await eventually(
      '12 scrapes',
      async () => {
        const [count] = await prometheus.query(`count_over_time(${counter}[1m])`);
        return (count?.samples[0]?.value ?? 0) >= 12 ? true : undefined;
      },
      { withinMs: 60_000, everyMs: 500 },
    );
    const [rate] = await prometheus.query(`rate(${counter}[30s])`);
    await climbing.stop();
    expect(Math.abs(rate!.samples[0]!.value / climbPerSecond - 1)).toBeLessThan(0.03);
  });

  it.concurrent('computes the right rate() of a counter seen through the 30-second cache', async () => {
    const counter = 'climb_total{via="cached"}';
    const pages = await eventually(
      'two renewals of the page',
      async () => {
        const [stored] = await prometheus.query(`${counter}[3m]`);
        const samples = stored?.samples ?? [];
        const firstOfPages = samples.filter(({ value }, i) => value !== samples[i - 1]?.value);
        return firstOfPages.length >= 3 ? firstOfPages.map(({ time }) => time) : undefined;
      },
      { withinMs: 100_000, everyMs: 500 },
    );
    await cachedClimbing.stop();
    const [first, second, third] = pages as [number, number, number];
    for (const age of [second - first, third - second]) {
      expect(age).toBeGreaterThan(29.9);
      expect(age).toBeLessThan(32.5);
    }
    // A window from the first scrape of one page to the first of another: between those, the counter stands still.
    const windowMs = Math.round((third - first) * 1000);
    const [rate] = await prometheus.query(`rate(${counter}[${windowMs}ms])`, third);
    expect(Math.abs(rate!.samples[0]!.value / climbPerSecond - 1)).toBeLessThan(0.03);
  });

  it.concurrent("marks a stopped producer's series stale within its lifetime and two scrapes", async () => {
    const jobs = ['fading', 'project', 'project-text'];
    const twoScrapes = 4;
    const seen = async (job: string, time?: number): Promise<unknown[]> => {
      const stored = await prometheus.query(`heartbeat{job="${job}"}`, time);
      return stored.map(({ labels }) => labels.via).sort();
    };
    await eventually('the series to be scraped', async () => {
      const both = [...(await seen('stopping')), ...(await seen('going'))];
      return both.length === 2 * jobs.length ? true : undefined;
    });
    const { sentAt, answeredAt } = await stopping.stop();
    const deadline = answeredAt + fadingLifetime + twoScrapes;
    await eventually('scrapes after its end', async () => {
      const scrapes = await prometheus.query(`timestamp(up{via=~"${jobs.join('|')}"}) > ${deadline}`);
      return scrapes.length === jobs.length ? true : undefined;
    });
    await going.stop();
    expect(await seen('stopping', sentAt + fadingLifetime), 'while it lived').toEqual(jobs);
    expect(await seen('stopping', deadline), 'after its end').toEqual([]);
    expect(await seen('going', deadline), 'of the producer that went on').toEqual(jobs);
  });
});

const isPushed = ({ labels }: StoredSeries): boolean => !/^(up$|scrape_|weir_)/.test(labels.__name__!);

const asSample = ({ labels: { __name__: name, ...labels }, samples }: StoredSeries) => ({
  name: name!,
  labels: comparable(labels),
  value: samples[0]!.value,
});

interface Producer {
  /** Pushes once more; gives when that was sent and when it was answered, in seconds since the epoch. */
  stop(): Promise<{ sentAt: number; answeredAt: number }>;
}

/** Pushes a line four times a second; resolves when the first was stored. */
async function startProducer(metricsId: string, job: string, line: (seconds: number) => string): Promise<Producer> {
  const started = Date.now();
  const push = async () => {
    const sentAt = Date.now();
    await weir.push(`acme/${metricsId}/metrics/job/${job}`, `${line((sentAt - started) / 1000)}\n`, bearer);
    return { sentAt: sentAt / 1000, answeredAt: Date.now() / 1000 };
  };
  await push();
  const halt = programs.inRhythm(250, push);
  return { stop: () => halt().then(push) };
}
