import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { managementScopes } from '../../../src/domain/scopes.js';
import { refusalsOf } from '../../../src/http/management/document.js';
import { largestBody } from '../../../src/http/management/input.js';
import { changes, type Operation } from '../../../src/http/management/operation.js';
import { operations } from '../../../src/http/management/operations.js';
import { TestGateway } from '../../support/gateway.js';
import { bodyIn, makeWorld, nameOf, pathIn, type World } from './world.js';

/** Every answer the document promises is drawn out of the gateway here, and none that it does not promise. */
const seen = new Map<string, Set<number>>();

const problem = z.looseObject({
  type: z.string().regex(/^http:\/\/127\.0\.0\.1:\d+\/docs\/errors#[a-z_]+$/),
  title: z.string(),
  status: z.int(),
  detail: z.string().regex(/\.$/),
  field: z.string().optional(),
});

let gateway: TestGateway;
let operator: string;
/** For requests that are refused, or only read. */
let untouched: World;
/** Its clients may ask once a minute. */
let limited: World;

beforeAll(async () => {
  gateway = await TestGateway.boot({ limits: { api_requests_per_minute: 0, streams: 0 } });
  untouched = await makeWorld(gateway);
  limited = await makeWorld(gateway, { of: { path: '/projects/{project_id}' } });
  await gateway.admin.projects.setLimits(limited.projectId, { api_requests_per_minute: 1 });
  operator = await gateway.bearer(null, [...managementScopes]);
});
afterAll(() => gateway.stop());

interface Request {
  readonly bearer?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly query?: string;
  readonly body?: string | undefined;
  readonly world?: World;
}

/** Asks, notes the answer, and holds it against the form it is documented with. */
async function ask(described: Operation, request: Request = {}): Promise<Response> {
  const world = request.world ?? untouched;
  const example = bodyIn(described.body?.example, world);
  const { bearer = operator, query = '', body = example && JSON.stringify(example) } = request;
  const response = await gateway.fetch(`/api/v2${await pathIn(gateway, described.path, world)}${query}`, {
    method: described.method,
    bearer,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers },
    ...(body === undefined ? {} : { body }),
  });
  const { status } = response;
  const name = nameOf(described);
  seen.set(name, (seen.get(name) ?? new Set()).add(status));
  expect(response.headers.get('cache-control')).toContain('no-store');
  const text = await response.clone().text();
  if (status >= 400) {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(problem.parse(JSON.parse(text)).status).toBe(status);
  } else if (described.answer.schema === undefined) expect(text).toBe('');
  else expect(described.answer.schema.safeParse(JSON.parse(text)).error).toBeUndefined();
  return response;
}

const once = (key: string) => ({ headers: { 'idempotency-key': key } });
const field = async (response: Response): Promise<unknown> => ((await response.json()) as { field?: unknown }).field;

/** How each refusal is brought about. */
const refused: Record<number, (described: Operation) => Promise<Response>> = {
  400: async (described) => {
    if (described.body !== undefined) {
      const response = await ask(described, { body: JSON.stringify({ ...described.body.example, colour: 'red' }) });
      expect(await field(response.clone())).toBe('colour');
      return response;
    }
    if (described.query !== undefined)
      expect(await field(await ask(described, { query: '?colour=red' }))).toBe('colour');
    const response = await ask(described, { bearer: 'Bearer two words' });
    expect(await field(response.clone())).toBe('Authorization');
    return response;
  },
  401: (described) => ask(described, { bearer: 'Bearer garbage' }),
  403: async (described) => {
    const others = managementScopes.filter((scope) => scope !== described.scope);
    return ask(described, { bearer: await gateway.bearer(null, others) });
  },
  404: async (described) => {
    if (!described.path.includes('{')) {
      if (described.method === 'GET') return ask(described, { query: '?project_id=nothing' });
      return ask(described, { body: JSON.stringify({ ...described.body!.example, project_id: 'nothing' }) });
    }
    if (described.path.includes('signing-keys')) {
      const response = await gateway.fetch('/api/v2/signing-keys/nothing/retire', { method: 'POST', bearer: operator });
      seen.get(nameOf(described))!.add(response.status);
      return response;
    }
    const ids = Object.fromEntries(Object.keys(untouched.ids).map((name) => [name, 'nothing']));
    return ask(described, { world: { ...untouched, ids } });
  },
  409: async (described) => {
    const world = await makeWorld(gateway, { of: described });
    if (described.id === 'createScrapeToken') {
      // As many as a client may have.
      for (let i = 0; i < 20; i++) await ask(described, { world });
      return ask(described, { world });
    }
    if (described.id === 'updateSource') {
      const wanted = { name: 'taken', metrics_id: world.ids.metrics_id, type: 'exporter', url: 'http://127.0.0.1:1/' };
      await gateway.admin.sources.create(world.projectId, wanted);
      return ask(described, { world, body: JSON.stringify({ name: 'taken' }) });
    }
    if (described.id === 'redeliver') {
      await gateway.admin.streams.update(world.ids.stream_id!, { status: 'disabled' });
      return ask(described, { world });
    }
    if (described.mayConflict) {
      const body = JSON.stringify(bodyIn(described.body!.example, world));
      expect((await ask(described, { world, body })).status).toBeLessThan(300);
      return ask(described, { world, body });
    }
    return unanswered(described, world);
  },
  412: (described) => ask(described, { headers: { 'if-match': '"another"' } }),
  413: async (described) => {
    const body = JSON.stringify({ ...described.body!.example, padding: 'x'.repeat(largestBody) });
    return ask(described, { body });
  },
  415: (described) => ask(described, { headers: { 'content-type': 'text/plain' } }),
  422: async (described) => {
    const world = await makeWorld(gateway, { of: described });
    const first = JSON.stringify(bodyIn(described.body!.example, world));
    const key = `key-of-${described.id}`;
    expect((await ask(described, { world, body: first, ...once(key) })).status).toBe(described.answer.status);
    return ask(described, { world, body: `${first} `, ...once(key) });
  },
  429: async (described) => {
    const bearer = await gateway.bearer(limited.projectId, ['read:usage']);
    await ask(described, { bearer });
    const response = await ask(described, { bearer });
    expect(response.headers.get('retry-after')).toBe('60');
    expect(response.headers.get('ratelimit-policy')).toBe('"api-requests";q=1;w=60');
    return response;
  },
  503: async (described) => {
    const target = await pathIn(gateway, described.path, untouched);
    const other = new Sqlite(gateway.config.storage.path);
    other.exec('BEGIN IMMEDIATE');
    try {
      const body = described.body && JSON.stringify(bodyIn(described.body.example, untouched));
      const response = await gateway.fetch(`/api/v2${target}`, {
        method: described.method,
        bearer: operator,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      });
      seen.get(nameOf(described))!.add(response.status);
      return response;
    } finally {
      other.exec('ROLLBACK');
      other.close();
    }
  },
};

let cutOff = 0;

/** A request whose first was cut off after it had done its work: as if the process had ended there. */
async function unanswered(described: Operation, world: World): Promise<Response> {
  const body = JSON.stringify(bodyIn(described.body!.example, world));
  const key = `cut-off-${++cutOff}`;
  await ask(described, { world, body, ...once(key) });
  const database = new Sqlite(gateway.config.storage.path);
  expect(database.prepare('UPDATE idempotency_key SET answer = NULL WHERE key = ?').run(key).changes).toBe(1);
  database.close();
  return ask(described, { world, body, ...once(key) });
}

describe.each(operations.map((each) => ({ name: nameOf(each), described: each })))('$name', ({ described }) => {
  it(`answers ${described.answer.status}`, async () => {
    const world = changes(described) ? await makeWorld(gateway, { of: described }) : untouched;
    const response = await ask(described, { world });
    expect(response.status).toBe(described.answer.status);
    expect(response.headers.has('etag')).toBe(described.tagged !== undefined);
  });

  it.each(refusalsOf(described))('answers %i', async (status) => {
    expect((await refused[status]!(described)).status).toBe(status);
  });

  if (described.idempotent) {
    it('answers a repeated request alike, and does nothing again', async () => {
      const world = await makeWorld(gateway, { of: described });
      const body = JSON.stringify(bodyIn(described.body!.example, world));
      const request = { world, body, ...once(`again-${described.id}`) };
      const first = await ask(described, request);
      const before = await gateway.admin.audit.list({ limit: 1 });
      const second = await ask(described, request);
      expect(second.status).toBe(first.status);
      expect(second.headers.get('idempotent-replayed')).toBe('true');
      for (const name of ['location', 'etag']) {
        // The tag of what is shown once is of another representation.
        expect(second.headers.get(name)).toBe(first.headers.get(name));
      }
      const shown = (await first.json()) as Record<string, unknown>;
      for (const secret of ['client_secret', 'token']) if (secret in shown) shown[secret] = '***';
      expect(await second.json()).toEqual(shown);
      expect(await gateway.admin.audit.list({ limit: 1 })).toEqual(before);
    });

    it('answers 409 while the first request has no answer', async () => {
      const response = await unanswered(described, await makeWorld(gateway, { of: described }));
      expect([response.status, await field(response)]).toEqual([409, 'Idempotency-Key']);
    });
  }

  if (described.conditional) {
    it('is done when If-Match names what is there', async () => {
      const world = await makeWorld(gateway, { of: described });
      const get = operations.find(({ method, path }) => method === 'GET' && path === described.path)!;
      const etag = (await ask(get, { world })).headers.get('etag')!;
      const wrong = await ask(described, { world, headers: { 'if-match': 'W/"x", "y"' } });
      expect(wrong.status).toBe(412);
      expect((await ask(get, { world })).headers.get('etag')).toBe(etag);
      const right = await ask(described, { world, headers: { 'if-match': `"x", ${etag}` } });
      expect(right.status).toBe(described.answer.status);
      expect(right.headers.get('etag')).not.toBe(etag);
    });
  }
});

it('answers nothing but what is documented, and all of that was seen', () => {
  const documented = Object.fromEntries(
    operations.map((each) => [nameOf(each), [each.answer.status, ...refusalsOf(each)].sort()]),
  );
  expect(Object.fromEntries([...seen].map(([name, statuses]) => [name, [...statuses].sort()]))).toEqual(documented);
  expect(operations.filter(changes).length).toBeGreaterThan(15);
});
