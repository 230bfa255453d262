import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs } from '../support/programs.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
let weir: WeirProcess;
let bearer: string;

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme');
  bearer = await weir.bearer(await weir.createClient('acme', 'write:metrics', 'read:metrics'));
});
afterAll(() => programs.end());

const exporters = { json: JsonExporter, protobuf: ProtobufExporter };
const temporalities = { cumulative: AggregationTemporality.CUMULATIVE, delta: AggregationTemporality.DELTA };

describe.each(Object.keys(exporters) as (keyof typeof exporters)[])(
  "OpenTelemetry's SDK with its %s exporter",
  (encoding) => {
    it.each(Object.keys(temporalities) as (keyof typeof temporalities)[])(
      'exports %s metrics, and the page has its own figures',
      async (name) => {
        const metricsId = `${encoding}-${name}`;
        await weir.createEndpoint('acme', metricsId);
        const exporter = new exporters[encoding]({
          url: `${weir.url}/api/v1/acme/${metricsId}/otlp/v1/metrics`,
          headers: { authorization: bearer },
          temporalityPreference: temporalities[name] as never,
        }) as unknown as PushMetricExporter;
        const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
        const provider = new MeterProvider({
          readers: [reader],
          resource: resourceFromAttributes({ 'service.name': 'shop', 'service.instance.id': 'i-1', 'host.name': 'h' }),
          views: [{ instrumentName: 'fine', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
        });
        const meter = provider.getMeter('e2e');
        const requests = meter.createCounter('http.requests', { description: 'Requests.', unit: '{request}' });
        const active = meter.createUpDownCounter('active');
        const duration = meter.createHistogram('http.duration', {
          unit: 's',
          advice: { explicitBucketBoundaries: [0.1, 1] },
        });
        const fine = meter.createHistogram('fine');
        meter
          .createObservableGauge('temperature', { unit: 'Cel' })
          .addCallback((result) => result.observe(21.5, { room: 'a"b' }));
        for (let round = 0; round < 3; round++) {
          requests.add(2, { code: 200 });
          requests.add(1, { code: 500 });
          active.add(round === 2 ? -1 : 2);
          for (const value of [0.05, 0.5, 5]) duration.record(value);
          for (const value of [0.3, 3, 30]) fine.record(value);
          await reader.forceFlush();
        }
        await provider.shutdown();
        const url = `${weir.url}/api/v1/acme/${metricsId}/metrics`;
        const page = await (await fetch(url, { headers: { authorization: bearer } })).text();
        const common = `instance="i-1",job="shop"`;
        const ours = `instance_id="${metricsId}"`;
        const value = (series: string): number => {
          const line = page.split('\n').find((each) => each.startsWith(`${series} `));
          if (line === undefined) throw new Error(`the page has no ${series}:\n${page}`);
          return Number(line.slice(series.length + 1));
        };
        expect(value(`http_requests_total{code="200",${common},${ours}}`)).toBe(6);
        expect(value(`http_requests_total{code="500",${common},${ours}}`)).toBe(3);
        expect(value(`http_duration_seconds_bucket{${common},le="0.1",${ours}}`)).toBe(3);
        expect(value(`http_duration_seconds_bucket{${common},le="1.0",${ours}}`)).toBe(6);
        expect(value(`http_duration_seconds_bucket{${common},le="+Inf",${ours}}`)).toBe(9);
        expect(value(`http_duration_seconds_count{${common},${ours}}`)).toBe(9);
        expect(value(`http_duration_seconds_sum{${common},${ours}}`)).toBeCloseTo(16.65);
        expect(value(`fine_bucket{${common},le="10.0",${ours}}`)).toBe(6);
        expect(value(`fine_count{${common},${ours}}`)).toBe(9);
        expect(value(`temperature_celsius{${common},room="a\\"b",${ours}}`)).toBe(21.5);
        // The SDK keeps counters that go up and down cumulative, whatever is asked of it.
        expect(value(`active{${common},${ours}}`)).toBe(3);
        expect(value(`target_info{host_name="h",${common},${ours}}`)).toBe(1);
        expect(page).toContain('# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n');
      },
    );
  },
);
