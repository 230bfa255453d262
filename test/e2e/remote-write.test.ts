import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { compressSync } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type StoredSeries, scrapeConfig } from '../support/prometheus-process.js';
import { request1 } from '../support/remote-write.js';
import { VmagentProcess } from '../support/vmagent-process.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

/** What a fixed exporter says: every type of the text format, and values that are hard to carry. */
const exposition = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",path="/a\\"b\\\\c\\nd"} 1027
requests_total{code="500",path="ü"} 3.5
# HELP temperature_celsius Temperature.
# TYPE temperature_celsius gauge
temperature_celsius{room="hall"} -12.25
temperature_celsius{room="roof"} +Inf
temperature_celsius{room="sea"} NaN
temperature_celsius{room="tiny"} 5e-324
# HELP latency_seconds Latency.
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 1
latency_seconds_bucket{le="1"} 4
latency_seconds_bucket{le="+Inf"} 5
latency_seconds_sum 7.5
latency_seconds_count 5
# HELP size_bytes Sizes.
# TYPE size_bytes summary
size_bytes{quantile="0.5"} 12
size_bytes{quantile="0.99"} 1e+06
size_bytes_sum 2000
size_bytes_count 20
`;

const programs = new Programs();
let exporter: Server;
let weir: WeirProcess;
let reader: CreatedClient;
let producing: PrometheusProcess;
let consuming: PrometheusProcess;
let writer: CreatedClient;

beforeAll(async () => {
  exporter = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(exposition);
  });
  await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  writer = await weir.createClient('acme', 'write:metrics');
  reader = await weir.createClient('acme', 'read:metrics');
  const target = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
  producing = await PrometheusProcess.start(
    programs,
    stringify({
      scrape_configs: [
        { job_name: 'fixed', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [target] }] },
      ],
      remote_write: [
        {
          url: `${weir.url}/api/v1/acme/db1/write`,
          oauth2: {
            client_id: writer.client_id,
            client_secret_file: weir.secretFile(writer),
            token_url: writer.token_url,
            scopes: ['write:metrics'],
          },
          metadata_config: { send_interval: '1s' },
          queue_config: { batch_send_deadline: '500ms', max_backoff: '500ms' },
        },
      ],
    }),
  );
  await producing.allUp();
});
afterAll(async () => {
  exporter?.close();
  await programs.end();
});

const bearer = async (): Promise<string> => weir.bearer(reader);

async function page(): Promise<string> {
  const response = await fetch(`${weir.url}/api/v1/acme/db1/metrics`, { headers: { authorization: await bearer() } });
  return response.text();
}

/** Name, labels and value, without what names the way it came. */
const comparable = ({ labels, samples }: StoredSeries): string => {
  const { instance_id: _, via: _via, ...own } = labels;
  const number = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : String(Number(text.replace('+Inf', 'Infinity')));
  const bounds = {
    ...(own.le === undefined ? {} : { le: number(own.le)! }),
    ...(own.quantile === undefined ? {} : { quantile: number(own.quantile)! }),
  };
  return JSON.stringify([Object.entries({ ...own, ...bounds }).sort(), String(samples[0]!.value)]);
};

const fixed = '{__name__=~"requests_total|temperature_celsius|latency_seconds.*|size_bytes.*",job="fixed"}';

describe("a stock Prometheus' remote_write", () => {
  it('brings through Weir what Prometheus stores when it scrapes the exporter itself', async () => {
    await eventually(
      'types to have come',
      async () => ((await page()).includes('# TYPE latency_seconds histogram') ? true : undefined),
      {
        withinMs: 60_000,
        everyMs: 2_000,
      },
    );
    const jobs = [{ name: 'through', path: 'acme/db1/metrics', interval: '1s' }];
    consuming = await PrometheusProcess.start(programs, scrapeConfig({ weir, client: reader, jobs }));
    await consuming.allUp();
    const direct = (await producing.query(fixed)).map(comparable).sort();
    const through = (await consuming.query(fixed)).map(comparable).sort();
    expect(direct).toHaveLength(15);
    expect(through).toEqual(direct);
    const text = await page();
    expect(text).toContain('# HELP requests_total Requests.\n# TYPE requests_total counter\n');
    expect(text).toContain('# TYPE size_bytes summary\n');
    expect(text).toContain('# TYPE temperature_celsius gauge\n');
  });

  it('had nothing refused', async () => {
    const refused = weir.logs.filter(({ level }) => level === 'error' || level === 50);
    expect(refused).toEqual([]);
    const metrics = await (await fetch(`${weir.operatorUrl}/metrics`)).text();
    expect(metrics).toMatch(/^weir_pushes_total\{result="refused"\} 0$/m);
  });
});

describe("Debian's vmagent", () => {
  it('writes with its own OAuth2 what it scrapes, and each sample is on the page', async () => {
    await weir.createEndpoint('acme', 'vm');
    const target = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
    await VmagentProcess.start(
      programs,
      stringify({
        scrape_configs: [
          { job_name: 'fixed', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [target] }] },
        ],
      }),
      `${weir.url}/api/v1/acme/vm/write`,
      [
        `-remoteWrite.oauth2.clientID=${writer.client_id}`,
        `-remoteWrite.oauth2.clientSecretFile=${weir.secretFile(writer)}`,
        `-remoteWrite.oauth2.tokenUrl=${writer.token_url}`,
        '-remoteWrite.oauth2.scopes=write:metrics',
        '-remoteWrite.flushInterval=500ms',
      ],
    );
    // Not by looking at its page, which would be in the cache then.
    await eventually(
      'its samples',
      async () => {
        const metrics = await weir.command<{ metric: string; endpoints: number }[]>('project', 'cardinality', 'acme');
        return metrics.find(({ metric }) => metric === 'requests_total')?.endpoints === 2 ? true : undefined;
      },
      { withinMs: 60_000 },
    );
    const values = new Map<string, number>();
    for (const line of (await weir.page('acme/vm/metrics', await bearer())).split('\n')) {
      const [, name, labels, value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
      if (labels?.includes('job="fixed"')) values.set(`${name} ${labels}`, Number(value!.replace('Inf', 'Infinity')));
    }
    const sampleOf = (name: string, label: string): number | undefined =>
      [...values].find(([series]) => series.startsWith(`${name} `) && series.includes(label))?.[1];
    expect(sampleOf('requests_total', String.raw`path="/a\"b\\c\nd"`)).toBe(1027);
    expect(sampleOf('requests_total', 'path="ü"')).toBe(3.5);
    expect(sampleOf('temperature_celsius', 'room="hall"')).toBe(-12.25);
    expect(sampleOf('temperature_celsius', 'room="roof"')).toBe(Number.POSITIVE_INFINITY);
    expect(sampleOf('temperature_celsius', 'room="tiny"')).toBe(5e-324);
    expect(sampleOf('latency_seconds_bucket', 'le="+Inf"')).toBe(5);
    expect(sampleOf('size_bytes', 'quantile="0.99"')).toBe(1e6);
    expect(sampleOf('size_bytes_count', '')).toBe(20);
  });
});

describe('kill -9', () => {
  it('loses no sample that was acknowledged', async () => {
    await weir.createEndpoint('acme', 'killed', '--lifetime', '1h');
    const token = await weir.bearer(writer);
    const acknowledged = new Map<number, number>();
    for (let round = 1; round <= 5; round++) {
      let running = true;
      const writeOn = async (lane: number): Promise<void> => {
        for (let value = round * 100_000; running; value++) {
          const ids = Array.from({ length: 20 }, (_, i) => lane * 100 + i);
          const body = request1(
            ids.map((id) => ({ labels: { __name__: 'w', id: String(id) }, samples: [[value, Date.now()]] })),
          );
          const headers = {
            authorization: token,
            'content-type': 'application/x-protobuf',
            'content-encoding': 'snappy',
          };
          try {
            const answer = await fetch(`${weir.url}/api/v1/acme/killed/write`, {
              method: 'POST',
              headers,
              body: compressSync(body) as unknown as Uint8Array<ArrayBuffer>,
            });
            if (answer.status === 204) for (const id of ids) acknowledged.set(id, value);
          } catch {
            // Killed under the request: whether it was stored nobody knows.
            return;
          }
        }
      };
      const writers = [0, 1, 2, 3].map(writeOn);
      const before = acknowledged.size;
      await eventually(
        'some writes',
        async () =>
          (acknowledged.get(0) ?? 0) > round * 100_000 + 20 && acknowledged.size >= before ? true : undefined,
        {
          everyMs: 20,
          withinMs: 30_000,
        },
      );
      await weir.kill();
      running = false;
      await Promise.all(writers);
      await weir.start();
      const response = await fetch(`${weir.url}/api/v1/acme/killed/metrics`, {
        headers: { authorization: await bearer() },
      });
      const served = new Map<number, number>();
      for (const [, id, value] of (await response.text()).matchAll(/^w\{id="(\d+)",instance_id="killed"\} (\d+)$/gm)) {
        served.set(Number(id), Number(value));
      }
      const lost = [...acknowledged].filter(([id, value]) => (served.get(id) ?? -1) < value);
      expect(lost).toEqual([]);
    }
    expect(acknowledged.size).toBe(80);
  });
});
