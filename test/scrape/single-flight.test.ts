import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SqliteGroups } from '../../src/storage/sqlite/groups.js';
import { samples, TestGateway } from '../support/gateway.js';

const scrapers = 1000;

let gateway: TestGateway;
let bearer: string;
let agent: Agent;

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
  agent = new Agent({ keepAlive: true });
});
afterEach(async () => {
  vi.restoreAllMocks();
  agent.destroy();
  await gateway.stop();
});

interface Answer {
  readonly status: number;
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

/** Node's own client: it leaves gzip as it came. */
function scrape(path: string, encoding: 'gzip' | 'identity', authorization = bearer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization, accept: 'text/plain', 'accept-encoding': encoding };
    get(`${gateway.url}/api/v1/${path}`, { headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const contentEncoding = response.headers['content-encoding'];
        resolve({ status: response.statusCode!, encoding: contentEncoding, body: Buffer.concat(chunks) });
      });
    }).on('error', reject);
  });
}

/**
 * Storage that answers when it is told to, for the endpoints of one project: a database across a network, or a
 * page that is long in the making. Gives how often it was asked, and the word to answer.
 */
function holdSnapshotsOf(projectId: string) {
  const snapshot = SqliteGroups.prototype.snapshot;
  const held = { asked: 0, release: () => {} };
  const released = new Promise<void>((resolve) => {
    held.release = resolve;
  });
  vi.spyOn(SqliteGroups.prototype, 'snapshot').mockImplementation(async function (this: SqliteGroups, endpoints) {
    if (endpoints.some((endpoint) => endpoint.projectId === projectId)) {
      held.asked++;
      await released;
    }
    return snapshot.call(this, endpoints);
  });
  return held;
}

const renders = (): Promise<number> => gateway.operatorValue('weir_page_render_seconds_count');
const misses = (): Promise<number> => gateway.operatorValue('weir_cache_requests_total{result="miss"}');

/** A thousand answers, every other one in gzip: all of one page, each encoding in the same bytes. */
function expectOnePage(answers: readonly Answer[]): string {
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const identity = answers.filter(({ encoding }) => encoding === undefined).map(({ body }) => body.toString());
  const gzip = answers.filter(({ encoding }) => encoding === 'gzip').map(({ body }) => body.toString('base64'));
  expect([identity.length, gzip.length]).toEqual([scrapers / 2, scrapers / 2]);
  expect(new Set(identity).size).toBe(1);
  expect(new Set(gzip).size).toBe(1);
  expect(gunzipSync(Buffer.from(gzip[0]!, 'base64')).toString()).toBe(identity[0]);
  return identity[0]!;
}

/** The same over a few connections, all before the first answer: no client costs as much as the gateway. */
async function thousandPipelined(path: string): Promise<Answer[]> {
  const request = (encoding: string): string =>
    `GET /api/v1/${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer}\r\nAccept-Encoding: ${encoding}\r\n\r\n`;
  const pair = request('gzip') + request('identity');
  const connections = 10;
  const answers = Array.from({ length: connections }, () => pipelined(pair.repeat(scrapers / connections / 2)));
  return (await Promise.all(answers)).flat();
}

/** Sends it all at once and reads the answers to the end. It leaves its side open: Node answers nobody who has closed it. */
function pipelined(requests: string): Promise<Answer[]> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const closing = `${requests.slice(0, -2)}Connection: close\r\n\r\n`;
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(closing));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve([...answersIn(Buffer.concat(chunks))]));
  });
}

function* answersIn(bytes: Buffer): Generator<Answer> {
  for (let at = 0; at < bytes.length; ) {
    const bodyAt = bytes.indexOf('\r\n\r\n', at) + 4;
    const head = bytes.toString('latin1', at, bodyAt);
    const header = (name: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1];
    at = bodyAt + Number(header('content-length'));
    const body = bytes.subarray(bodyAt, at);
    yield { status: Number(head.slice(9, 12)), encoding: header('content-encoding'), body };
  }
}

const thousandScrapes = (path: string): Promise<Answer>[] =>
  Array.from({ length: scrapers }, (_, index) => scrape(path, index % 2 === 0 ? 'gzip' : 'identity'));

it.each(['acme/db1/metrics', 'acme/metrics'])(
  'a thousand scrapes at the expiry of %s cause one render',
  async (path) => {
    await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
    await scrape(path, 'identity');
    await gateway.push('acme/db1/metrics', 'a 2\n', bearer);
    gateway.clock.advance(30_001);
    const before = await renders();
    const page = expectOnePage(await thousandPipelined(path));
    expect(samples(page)).toEqual(['a{instance_id="db1"} 2']);
    expect((await renders()) - before).toBe(1);
  },
);

it('a thousand scrapes that come while storage has not answered wait for one snapshot and one render', async () => {
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);
  const [rendersBefore, missesBefore] = [await renders(), await misses()];
  const held = holdSnapshotsOf('acme');
  const answers = thousandScrapes('acme/db1/metrics');
  await vi.waitFor(async () => expect((await misses()) - missesBefore).toBe(scrapers), { timeout: 10_000 });
  expect(await renders()).toBe(rendersBefore);
  held.release();
  expectOnePage(await Promise.all(answers));
  expect(held.asked).toBe(1);
  expect((await renders()) - rendersBefore).toBe(1);
});

it('a scrape that fails does not fail those after it', async () => {
  const snapshot = vi.spyOn(SqliteGroups.prototype, 'snapshot').mockRejectedValueOnce(new Error('disk trouble'));
  expect((await scrape('acme/db1/metrics', 'gzip')).status).toBe(503);
  expect((await scrape('acme/db1/metrics', 'gzip')).status).toBe(200);
  expect(snapshot).toHaveBeenCalledTimes(2);
});

it("nobody waits for the snapshot of another project's page, nor of another page of the same", async () => {
  await gateway.project('globex', 'db1');
  const theirs = await gateway.bearer('globex');
  await gateway.push('globex/db1/metrics', 'b 1\n', theirs);
  await scrape('globex/db1/metrics', 'gzip', theirs);
  await scrape('acme/db2/metrics', 'gzip');

  const held = holdSnapshotsOf('acme');
  let answered = false;
  const waiting = scrape('acme/db1/metrics', 'gzip').then((answer) => {
    answered = true;
    return answer;
  });
  await vi.waitFor(() => expect(held.asked).toBe(1), { timeout: 5000 });

  // Cached, in both projects; then cold, in both encodings; then a push.
  expect((await scrape('globex/db1/metrics', 'gzip', theirs)).status).toBe(200);
  expect((await scrape('acme/db2/metrics', 'gzip')).status).toBe(200);
  gateway.clock.advance(30_001);
  expect((await scrape('globex/db1/metrics', 'identity', theirs)).body.toString()).toContain('b{instance_id="db1"} 1');
  expect((await scrape('globex/metrics', 'gzip', theirs)).status).toBe(200);
  await gateway.push('acme/db1/metrics', 'a 1\n', bearer);

  expect(answered).toBe(false);
  held.release();
  expect((await waiting).status).toBe(200);
});

it('the largest page a project may have by default holds up the others for less than half a second', async () => {
  // Rendering is work of the one thread that answers everybody; what keeps it short is that lines are copied whole.
  const families = Array.from({ length: 500 }, (_, index) => {
    const name = `weather_${index}_total`;
    const lines = Array.from({ length: 100 }, (_, part) => `${name}{zone="eu-west-1",part="${part}"} ${part}.5\n`);
    return `# TYPE ${name} counter\n${lines.join('')}`;
  });
  await gateway.push('acme/db1/metrics', families.join(''), bearer);
  const seconds = () => gateway.operatorValue('weir_page_render_seconds_sum');
  for (const format of ['text/plain', 'application/openmetrics-text; version=1.0.0']) {
    const before = await seconds();
    const page = await gateway.page('acme/db1/metrics', bearer, format);
    expect(samples(page)).toHaveLength(50_000);
    expect((await seconds()) - before).toBeLessThan(0.5);
  }
});
