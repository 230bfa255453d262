import { Agent } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { compressSync } from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicApp } from '../../src/http/app.js';
import { basic, TestGateway } from '../support/gateway.js';
import { TestIssuer } from '../support/issuer.js';
import { attribute, exportOf } from '../support/otlp.js';
import { request1 } from '../support/remote-write.js';
import { type Answer, send, telling } from './wire.js';

/**
 * Every route of the public listener, and what it is to a token: something of a project (then the scope it needs, and
 * whether it is of one endpoint, or tells of none), of all projects at once (for the operator alone), or nothing of any project. A new route has to be entered here, or the first test fails.
 */
const routes: Record<string, Pick<Row, 'scope' | 'of'> | 'of all projects' | 'of no project'> = {
  'GET /api/v1/:project/:metricsId/metrics': { scope: 'read:metrics', of: 'endpoint' },
  'GET /api/v1/:project/metrics': { scope: 'read:metrics', of: 'project' },
  'GET /api/v1/:project/sd': { scope: 'read:metrics', of: 'project' },
  'GET /api/v1/:project/descriptors': { scope: 'read:metrics', of: 'project' },
  // What an endpoint is asked for by its parameter is in test/http/snippets.test.ts.
  'GET /api/v1/:project/snippets': { scope: 'read:metrics', of: 'project without endpoints' },
  'GET /api/v1/:project/snippets/:tool': { scope: 'read:metrics', of: 'project without endpoints' },
  'PUT /api/v1/:project/:metricsId/metrics/*': { scope: 'write:metrics', of: 'endpoint' },
  'POST /api/v1/:project/:metricsId/metrics/*': { scope: 'write:metrics', of: 'endpoint' },
  'DELETE /api/v1/:project/:metricsId/metrics/*': { scope: 'write:metrics', of: 'endpoint' },
  'POST /api/v1/:project/:metricsId/write': { scope: 'write:metrics', of: 'endpoint' },
  'POST /api/v1/:project/:metricsId/otlp/v1/metrics': { scope: 'write:metrics', of: 'endpoint' },
  'POST /api/v1/write': 'of all projects',
  'POST /otlp/v1/metrics': 'of all projects',
  'POST /oauth/token': 'of no project',
  // Introspection tells a client of its own project's tokens only; see test/http/surroundings.test.ts.
  'POST /oauth/introspect': 'of no project',
  'POST /oauth/revoke': 'of no project',
  'GET /.well-known/oauth-authorization-server': 'of no project',
  'GET /.well-known/jwks.json': 'of no project',
  'GET /.well-known/oauth-protected-resource': 'of no project',
  'GET /docs/errors': 'of no project',
  // Its own matrix is in test/http/management/authorisation.test.ts.
  'ALL /api/v2/*': 'of no project',
};

type Scope = 'read:metrics' | 'write:metrics';

interface Row {
  readonly method: string;
  readonly route: string;
  readonly scope: Scope;
  readonly of: 'endpoint' | 'project' | 'project without endpoints';
}

const matrix: Row[] = Object.entries(routes).flatMap(([name, kind]) => {
  if (typeof kind === 'string') return [];
  const [method, route] = name.split(' ') as [string, string];
  // Hono answers HEAD by the GET routes.
  const methods = [method, ...(method === 'GET' ? ['HEAD'] : [])];
  // Hono's wildcard stands for nothing, too.
  const paths = route.endsWith('/*') ? [route.slice(0, -2), route.replace('*', 'job/app')] : [route];
  return methods.flatMap((each) => paths.map((path) => ({ method: each, route: path, ...kind })));
});

const both = ['read:metrics', 'write:metrics'];
const kinds = ['', ' by scrape token', ' by Basic', ' by external token'];
const by = (names: readonly string[], of: readonly string[] = kinds): string[] =>
  names.flatMap((name) => of.map((kind) => `${name}${kind}`));

/** What each project keeps to itself. It stands in every name and value that the project can choose. */
const secret = { acme: 'ACME-OWN', rival: 'RIVAL-OWN' };

let gateway: TestGateway;
let issuer: TestIssuer;
/** One connection for all: what a token may is asked of each request anew. */
const agent = new Agent({ keepAlive: true });
/** Authorization headers, by who sends them. */
const callers: Record<string, string | undefined> = {};

beforeAll(async () => {
  issuer = await TestIssuer.listen();
  gateway = await TestGateway.boot({ externalIssuers: issuer.configured });
  for (const project of ['acme', 'rival'] as const) {
    await gateway.project(project, 'db1', 'db2');
    const bearer = await gateway.bearer(project);
    for (const metricsId of ['db1', 'db2']) {
      const body = `# HELP shared ${secret[project]}\n# TYPE shared gauge\nshared{of="${secret[project]}"} 1\n`;
      await gateway.push(`${project}/${metricsId}/metrics/job/${secret[project]}`, body, bearer);
    }
  }
  callers.nobody = undefined;
  callers.garbage = 'Bearer garbage';
  callers.rival = await gateway.bearer('rival');
  callers.rivalReader = await gateway.bearer('rival', ['read:metrics']);
  callers.rivalWriter = await gateway.bearer('rival', ['write:metrics']);
  callers.rivalNarrowed = await gateway.bearer('rival', undefined, ['db1']);
  callers.own = await gateway.bearer('acme');
  callers.reader = await gateway.bearer('acme', ['read:metrics']);
  callers.writer = await gateway.bearer('acme', ['write:metrics']);
  callers.narrowed = await gateway.bearer('acme', undefined, ['db2']);
  const disabled = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  callers.disabled = await gateway.bearerOf(disabled);
  callers.operator = await gateway.bearer(null, ['write:metrics']);
  callers.manager = await gateway.bearer(null, ['read:projects']);
  const deleted = await gateway.client('acme', ['read:metrics', 'write:metrics']);
  callers.deleted = await gateway.bearerOf(deleted);
  // The same again with a scrape token, with id and secret by HTTP Basic, and with a token of the vendor's own issuer.
  for (const [name, project, scopes, endpoints] of [
    ['rival', 'rival', both],
    ['rivalReader', 'rival', ['read:metrics']],
    ['rivalWriter', 'rival', ['write:metrics']],
    ['reader', 'acme', ['read:metrics']],
    ['writer', 'acme', ['write:metrics']],
    ['narrowed', 'acme', both, ['db2']],
  ] as const) {
    const client = await gateway.client(project, [...scopes], endpoints && [...endpoints]);
    callers[`${name} by scrape token`] = await gateway.scrapeToken(client);
    await gateway.admin.clients.setAllowBasic(client.clientId, true);
    callers[`${name} by Basic`] = basic(client.clientId, client.clientSecret);
    const claims = { project, scope: scopes.join(' '), endpoints: endpoints ?? ['db1', 'db2'] };
    callers[`${name} by external token`] = `Bearer ${issuer.token(gateway.clock.now(), claims)}`;
  }
  callers['disabled by scrape token'] = await gateway.scrapeToken(disabled);
  callers['deleted by scrape token'] = await gateway.scrapeToken(deleted);
  await gateway.admin.clients.disable(disabled.clientId);
  await gateway.admin.clients.delete(deleted.clientId);
  // The page is in the cache: whoever gets something out of it has come past the check.
  await gateway.page('acme/db1/metrics', callers.own!);
  await gateway.page('acme/metrics', callers.own!);
});
afterAll(async () => {
  agent.destroy();
  await gateway.stop();
  issuer.close();
});

/** Everything that was answered to a token of the rival's, with its headers. */
const told: { asked: string; answer: string }[] = [];

async function ask(row: Pick<Row, 'method' | 'route'>, caller: string, project = 'acme', metricsId = 'db1') {
  const target = row.route.replace(':project', project).replace(':metricsId', metricsId).replace(':tool', 'prometheus');
  return request(row.method, target, caller);
}

async function request(method: string, target: string, caller: string, headers: string[] = []): Promise<Answer> {
  const authorization = callers[caller];
  const sent = bodyFor(target, caller);
  const answer = await send(gateway.url, target, {
    method,
    agent,
    headers: [
      ...(authorization === undefined ? [] : ['Authorization', authorization]),
      ...headers,
      ...(method === 'POST' ? sent.headers : []),
    ],
    ...(method === 'PUT' || method === 'POST' ? { body: sent.body } : {}),
  });
  if (caller.startsWith('rival')) {
    const body = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(answer.body).toString() : answer.text;
    told.push({ asked: `${method} ${target}`, answer: `${answer.rawHeaders.join(' ')} ${body}` });
  }
  return answer;
}

/** What the route takes, so that only the token can be the reason for a refusal. */
function bodyFor(target: string, caller: string): { body: string | Buffer; headers: string[] } {
  const isForAll = target === '/api/v1/write' || target === '/otlp/v1/metrics';
  if (target.endsWith('/otlp/v1/metrics')) {
    const point = { timeUnixNano: `${gateway.clock.now()}000000`, asDouble: 1, attributes: [attribute('by', caller)] };
    const of = isForAll ? [attribute('weir.project', 'acme'), attribute('weir.endpoint', 'db1')] : [];
    const body = JSON.stringify(exportOf([{ name: 'pushed', gauge: { dataPoints: [point] } }], of));
    return { body, headers: ['Content-Type', 'application/json'] };
  }
  if (!target.endsWith('/write')) return { body: `pushed{by="${caller}"} 1\n`, headers: [] };
  const of = isForAll ? { weir_project: 'acme', weir_endpoint: 'db1' } : {};
  const labels = { __name__: 'pushed', by: caller, ...of };
  const written = request1([{ labels: labels as Record<string, string>, samples: [[1, gateway.clock.now()]] }]);
  const headers = ['Content-Type', 'application/x-protobuf', 'Content-Encoding', 'snappy'];
  return { body: compressSync(written), headers };
}

/** All of an answer that a caller can compare. */
const seen = (answer: Answer): unknown => [answer.status, telling(answer), answer.text];

const otherScope = (scope: Scope): string => (scope === 'read:metrics' ? 'writer' : 'reader');
const title = ({ method, route }: Row): string => `${method} ${route}`;

describe('the matrix', () => {
  it('has every route there is', () => {
    const there = publicApp({} as never).hono.routes.map(({ method, path }) => `${method} ${path}`);
    expect([...new Set(there)].sort()).toEqual(Object.keys(routes).sort());
  });

  // Where two match, Hono composes them, which costs each scrape a tenth.
  it.each(['/api/v1/acme/db1/metrics', '/api/v1/acme/metrics'])('has one route for %s', (path) => {
    expect(publicApp({} as never).hono.router.match('GET', path)[0]).toHaveLength(1);
  });
});

describe.each(matrix.map((row) => ({ ...row, title: title(row) })))('$title', (row) => {
  it.each(['nobody', 'garbage', ...by(['disabled', 'deleted'], kinds.slice(0, 2))])('is 401 to %s', async (caller) => {
    expect((await ask(row, caller)).status).toBe(401);
    expect(seen(await ask(row, caller, 'nowhere'))).toEqual(seen(await ask(row, caller)));
  });

  it.each([...by(['rival', 'rivalReader', 'rivalWriter']), 'rivalNarrowed'])(
    'is 404 to %s, who cannot tell it from what does not exist',
    async (caller) => {
      const notYours = await ask(row, caller);
      expect(notYours.status).toBe(404);
      expect(seen(await ask(row, caller, 'nowhere'))).toEqual(seen(notYours));
      if (row.of === 'endpoint') expect(seen(await ask(row, caller, 'acme', 'nothing'))).toEqual(seen(notYours));
    },
  );

  it.each(kinds)('is 403 to its own project with another scope%s, whether it exists or not', async (kind) => {
    const caller = `${otherScope(row.scope)}${kind}`;
    const forbidden = await ask(row, caller);
    expect(forbidden.status).toBe(403);
    if (row.of === 'endpoint') expect(seen(await ask(row, caller, 'acme', 'nothing'))).toEqual(seen(forbidden));
  });

  if (row.of === 'endpoint') {
    it.each(by(['narrowed']))(
      'is 404 to a client %s to another endpoint, who cannot tell it from what does not exist',
      async (narrowed) => {
        const notYours = await ask(row, narrowed);
        expect(notYours.status).toBe(404);
        expect(seen(await ask(row, narrowed, 'acme', 'nothing'))).toEqual(seen(notYours));
        expect((await ask(row, narrowed, 'acme', 'db2')).status).toBeLessThan(300);
      },
    );
  } else if (row.of === 'project') {
    it.each(by(['narrowed']))('shows a client %s to an endpoint that one only', async (narrowed) => {
      const answer = await ask(row, narrowed);
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain('"db1"');
      if (row.method === 'GET') expect(answer.text).toContain('"db2"');
    });
  }
});

const forAll = Object.keys(routes).filter((route) => routes[route] === 'of all projects');

describe.each(forAll)('%s', (route) => {
  const [method, target] = route.split(' ') as [string, string];
  const everyone = ['own', 'writer', 'narrowed', 'rival', 'rivalWriter', 'rivalNarrowed'];

  it.each([...by(everyone.slice(1, 3)), ...everyone])('is 403 to %s, a client of a project', async (caller) => {
    expect((await request(method, target, caller)).status).toBe(403);
  });

  it.each(['nobody', 'garbage', ...by(['disabled', 'deleted'], kinds.slice(0, 2))])('is 401 to %s', async (caller) => {
    expect((await request(method, target, caller)).status).toBe(401);
  });

  it('is 403 to a client of the operator without the scope, and open to one with it', async () => {
    expect((await request(method, target, 'manager')).status).toBe(403);
    expect((await request(method, target, 'operator')).status).toBeLessThan(300);
  });
});

describe('a client of the operator that writes for all', () => {
  it.each(matrix.map(title))('finds nothing at %s', async (route) => {
    const row = matrix.find((each) => title(each) === route)!;
    expect((await ask(row, 'operator')).status).toBe(404);
  });
});

describe('a token', () => {
  /** Ways to write a path of another project, or to smuggle one in. */
  const targets = [
    '/api/v1/rival/../acme/db1/metrics',
    '/api/v1/rival/db1/../../acme/db1/metrics',
    '/api/v1/rival/%2e%2e/acme/db1/metrics',
    '/api/v1/rival%2F..%2Facme/db1/metrics',
    '/api/v1/rival/..%2Facme%2Fdb1/metrics',
    '/api/v1/%61cme/db1/metrics',
    '/api/v1/%2561cme/db1/metrics',
    '/api/v1/acme%00/db1/metrics',
    '/api/v1/acme%20/db1/metrics',
    '/api/v1/ACME/db1/metrics',
    '/api/v1/acme/DB1/metrics',
    '/api/v1/acme/db1/%6detrics',
    '/api/v1/rival/db1/%6detrics',
    '/api/v1/acme/./db1/metrics',
    '/api/v1/rival/./db1/metrics',
    '/api/v1//acme/db1/metrics',
    '//api/v1/acme/db1/metrics',
    '/api/v1/acme//db1/metrics',
    '/api/v1/acme/db1/metrics/',
    '/api/v1/acme/db1/metrics/../metrics',
    '/api/v1/rival/db1/metrics/../../../acme/db1/metrics',
    '/api/v1/rival/db1/metrics/job/..%2f..%2facme',
    '/api/v1/acme/db1/metrics?project=rival',
    '/api/v1/rival/db1/metrics?project=acme&metricsId=db1',
    '/api/v1/rival/db1/metrics#/api/v1/acme/db1/metrics',
    '/api/v1/acme/db1/metrics;x=y',
    '/api/v1/rival;acme/db1/metrics',
    '/api/v1/rival,acme/metrics',
    '/api/v1/*/metrics',
    '/api/v1/:project/metrics',
    '/api/v1/__proto__/db1/metrics',
    '/api/v1/rival/constructor/metrics',
    '/api/v1/acme/metrics/metrics',
    'http://acme.example/api/v1/acme/db1/metrics',
    'http://rival@acme.example/api/v1/acme/metrics',
  ];
  const headers = [
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Forwarded-Uri',
    'X-Forwarded-Prefix',
    'X-Scope-OrgID',
    'X-HTTP-Method-Override',
    'X-Forwarded-For',
    'Forwarded',
    'Cookie',
    'THANOS-TENANT',
  ];

  it.each(targets)('gets nothing of another project by %s', async (target) => {
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
      const { status } = await request(method, target, 'rival');
      expect([method, status < 500]).toEqual([method, true]);
    }
  });

  it.each(headers)('gets nothing of another project by the header %s', async (name) => {
    for (const value of ['acme', '/api/v1/acme/db1/metrics']) {
      const other = await request('GET', '/api/v1/acme/db1/metrics', 'rival', [name, value]);
      expect(other.status).toBe(404);
      const own = await request('GET', '/api/v1/rival/db1/metrics', 'rival', [name, value]);
      expect(own.status).toBe(200);
    }
  });

  it('gets its own page in every form, in which there is nothing of another', async () => {
    const om = 'application/openmetrics-text';
    for (const path of ['rival/db1/metrics', 'rival/metrics']) {
      for (const extra of [
        [],
        ['Accept', om],
        ['Accept-Encoding', 'gzip'],
        ['Accept', om, 'Accept-Encoding', 'gzip'],
      ]) {
        const { status } = await request('GET', `/api/v1/${path}`, 'rival', extra);
        expect(status).toBe(200);
        expect(told.at(-1)!.answer).toContain(secret.rival);
      }
    }
  });
});

/** Last, when all has been asked. */
describe('after all this', () => {
  it('not one byte of the other project was told', () => {
    expect(told.length).toBeGreaterThan(250);
    expect(told.filter(({ answer }) => answer.includes(secret.acme))).toEqual([]);
  });

  it('the other project has nothing the rival pushed, and lost nothing', async () => {
    gateway.clock.advance(30_001);
    const page = await gateway.page('acme/metrics', callers.own!);
    expect(page).not.toContain('by="rival');
    expect(page.match(new RegExp(`^shared{of="${secret.acme}",.*} 1$`, 'gm'))).toHaveLength(2);
    expect(page).not.toContain(secret.rival);
  });

  it('a client of the same name in another project has another secret', async () => {
    const acme = await gateway.client('acme', ['read:metrics']);
    const rival = await gateway.client('rival', ['read:metrics']);
    const answer = await gateway.token({ grant_type: 'client_credentials' }, basic(acme.clientId, rival.clientSecret));
    expect(answer.status).toBe(401);
    await answer.text();
  });
});
