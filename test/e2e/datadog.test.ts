import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { type MovedClock, movedClock } from '../support/moved-clock.js';
import { datadogPython, eventually, Programs, type RunningProgram } from '../support/programs.js';
import { securely } from '../support/securely.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let caFile: string;
let clock: MovedClock;
let weir: WeirProcess;
let producer: CreatedClient;
let scraper: CreatedClient;

beforeAll(async () => {
  datadogPython();
  const certificate = await writeDemoCertificate(programs.folder, Date.now());
  caFile = certificate.certFile;
  clock = movedClock(programs);
  weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`], clock.env);
  await weir.createProject('acme', 'db1');
  producer = await weir.createClient('acme', 'write:metrics');
  scraper = await weir.createClient('acme', 'read:metrics');
});

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly value: number;
  readonly tags: readonly string[];
}

/** What one run of the check leads to: `health` is 0 for OK and 2 for critical. */
interface CheckRun {
  readonly error: string;
  readonly metrics: readonly Metric[];
  readonly health: readonly number[];
}

/** One instance of the check, as long as an Agent runs. */
class Check {
  private readonly running: RunningProgram;
  private runs = 0;

  constructor({ client_id, client_secret, token_url }: CreatedClient, reader: object = {}) {
    const instance = {
      openmetrics_endpoint: pageUrl(),
      namespace: 'weir',
      metrics: ['.*'],
      tls_ca_cert: caFile,
      auth_token: {
        reader: { type: 'oauth', url: token_url, client_id, client_secret, ...reader },
        writer: { type: 'header', name: 'Authorization', value: 'Bearer <TOKEN>', placeholder: '<TOKEN>' },
      },
    };
    const script = fileURLToPath(new URL('datadog_check.py', import.meta.url));
    const env = { REQUESTS_CA_BUNDLE: caFile, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false' };
    this.running = programs.start(datadogPython(), [script, JSON.stringify(instance)], { env });
  }

  /** The check's clock is so many seconds ahead. */
  run(clockSeconds = 0): Promise<CheckRun> {
    const line = this.runs++;
    this.running.send(JSON.stringify({ clock_s: clockSeconds }));
    return eventually(
      'the check to run',
      () => {
        const lines = this.running.stdout.split('\n');
        return lines.length > line + 1 ? (JSON.parse(lines[line]!) as CheckRun) : undefined;
      },
      { during: this.running },
    );
  }
}

/** A command on the scraper, and the moment from which the tokens it has are refused. */
async function refuse(verb: 'revoke-tokens' | 'disable'): Promise<void> {
  const scrape = { method: 'GET', url: pageUrl(), authorization: await bearer(scraper), caFile } as const;
  expect(await securely(scrape)).toBe(200);
  await weir.command('client', verb, scraper.client_id);
  await eventually('the refusal', async () => ((await securely(scrape)) === 401 ? true : undefined), {
    withinMs: 1000,
  });
}

const pageUrl = (): string => `${weir.url}/api/v1/acme/metrics`;

async function push(body: string): Promise<void> {
  const authorization = await bearer(producer);
  const url = `${weir.url}/api/v1/acme/db1/metrics/job/app`;
  expect(await securely({ method: 'PUT', url, body, authorization, caFile })).toBe(200);
}

const bearer = (client: CreatedClient): Promise<string> => weir.bearer(client, '--ca-file', caFile);
const tokensIssued = (): Promise<number> => weir.operatorValue('weir_tokens_issued_total');
const pushed = ({ metrics }: CheckRun): Metric[] =>
  metrics
    .filter(({ name }) => /^weir\.(orders|queue)/.test(name))
    .map(({ tags, ...metric }) => ({ ...metric, tags: tags.filter((tag) => !tag.startsWith('endpoint:')).sort() }));

const tags = ['city:Malmö', 'instance_id:db1', 'job:app'];
const page = (orders: number, depth: number): string =>
  `# TYPE orders_total counter\norders_total{city="Malmö"} ${orders}\n# TYPE queue_depth gauge\nqueue_depth{city="Malmö"} ${depth}\n`;

const readers = [
  ['by Basic', {}],
  ['by Basic, when told so', { basic_auth: true }],
  ['by form body', { options: { include_client_id: true } }],
  ['with the scope and audience it is told to ask for', { options: { scope: 'read:metrics', audience: 'us' } }],
] as const;

describe("Datadog's OpenMetrics check", () => {
  it.each(readers)('gets a token %s over https, and the gauges and counters that were pushed', async (_, reader) => {
    await push(page(42, 7.5));
    const told = 'options' in reader && 'audience' in reader.options;
    const options = told ? { options: { ...reader.options, audience: weir.url } } : {};
    const run = await new Check(scraper, { ...reader, ...options }).run();
    expect({ error: run.error, health: run.health }).toEqual({ error: '', health: [0] });
    expect(pushed(run)).toEqual([
      { name: 'weir.orders.count', type: 'monotonic_count', value: 42, tags },
      { name: 'weir.queue_depth', type: 'gauge', value: 7.5, tags },
    ]);
  });

  it('keeps its token while it lives, and takes another after its end', async () => {
    const check = new Check(scraper);
    await push(page(42, 7.5));
    const scrape = {
      method: 'GET',
      url: pageUrl(),
      authorization: await bearer(scraper),
      caFile,
    } as const;
    const before = await tokensIssued();
    expect((await check.run()).error).toBe('');
    expect((await check.run(899)).error).toBe('');
    expect(await tokensIssued()).toBe(before + 1);

    // Of the gateway and of the check, too: to the gateway a token lives a minute longer than it says.
    clock.move(961);
    expect(await securely(scrape), 'a token of that time').toBe(401);
    await push(page(45, 8.5));
    const beforeSecond = await tokensIssued();
    const second = await check.run(961);
    expect({ error: second.error, health: second.health }).toEqual({ error: '', health: [0] });
    expect(await tokensIssued()).toBe(beforeSecond + 1);
    expect(pushed(second).map(({ value }) => value)).toEqual([45, 8.5]);
  });

  it('takes another within the same run when its token was revoked', async () => {
    const check = new Check(scraper);
    expect((await check.run()).error).toBe('');
    await refuse('revoke-tokens');
    const before = await tokensIssued();
    const second = await check.run();
    expect({ error: second.error, health: second.health }).toEqual({ error: '', health: [0] });
    expect(await tokensIssued()).toBe(before + 1);
  });

  it('shows the reason when the secret is wrong, and goes on once it is right', async () => {
    const wrong = await new Check({ ...scraper, client_secret: producer.client_secret }).run();
    expect(wrong.error).toMatch(/\(invalid_client\) .*secret/);
    expect(wrong.metrics.filter(({ name }) => !name.startsWith('weir.telemetry'))).toEqual([]);
    expect((await new Check(scraper).run()).error).toBe('');
  });

  it('shows the reason while the client is disabled, and goes on once it is enabled', async () => {
    const check = new Check(scraper);
    expect((await check.run()).error).toBe('');
    await refuse('disable');
    const refused = await check.run();
    await weir.command('client', 'enable', scraper.client_id);
    expect(refused.error).toContain('(invalid_client)');
    expect((await check.run()).error).toBe('');
  });
});
