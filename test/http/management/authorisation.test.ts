import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { managementScopes, projectScopes, type Scope } from '../../../src/domain/scopes.js';
import { changes } from '../../../src/http/management/operation.js';
import { basic, TestGateway } from '../../support/gateway.js';
import { bodyIn, makeWorld, operationNamed, pathIn, type World } from './world.js';

/** Roles × operations × own and foreign objects, as the document names them: an operation without a rule fails here. */
interface Documented {
  readonly security: readonly { readonly oauth2?: readonly Scope[] }[];
  readonly responses: Record<string, unknown>;
}
const { paths } = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, Documented>>;
};
const matrix = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, { security }]) => security.length > 0)
    .map(([method, { security, responses }]) => ({
      name: `${method.toUpperCase()} ${path}`,
      scope: security[0]!.oauth2![0]!,
      success: Object.keys(responses).map(Number)[0]!,
      isOfProject: projectScopes.includes(security[0]!.oauth2![0]!),
      namesProject: /\{(project_id|client_id|stream_id|source_id)\}/.test(path) && !path.includes('/bans/'),
    })),
);

let gateway: TestGateway;
/** Authorization headers by role, made when first asked for. */
const bearers = new Map<string, string>();
/** What opens the metrics routes to a client that has every scope, but is no access token. */
const lasting: string[] = [];

beforeAll(async () => {
  // Far from the limit of requests per minute: each role has its own client.
  gateway = await TestGateway.boot({ limits: { streams: 0 } });
  for (const project of ['own', 'other']) await gateway.project(project, 'db1');
  const client = await gateway.client('own', [...projectScopes]);
  await gateway.admin.clients.setAllowBasic(client.clientId, true);
  lasting.push(await gateway.scrapeToken(client), basic(client.clientId, client.clientSecret));
  for (const bearer of lasting) await gateway.page('own/db1/metrics', bearer);
});
afterAll(() => gateway.stop());

async function bearer(projectId: string | null, scopes: readonly Scope[]): Promise<string> {
  const key = `${projectId} ${scopes.join(' ')}`;
  const known = bearers.get(key) ?? (await gateway.bearer(projectId, [...scopes]));
  bearers.set(key, known);
  return known;
}

const seen: string[] = [];

async function ask(name: string, world: World, bearer: string | undefined, ids = world.ids): Promise<Response> {
  const { method, path, body } = operationNamed(name);
  const target = await pathIn(gateway, path, { ...world, ids });
  const sent = bodyIn(body?.example, world);
  const response = await gateway.fetch(`/api/v2${target}`, {
    method,
    ...(bearer === undefined ? {} : { bearer }),
    ...(sent === undefined ? {} : { body: JSON.stringify(sent), headers: { 'content-type': 'application/json' } }),
  });
  seen.push(`${name} ${response.status}`);
  return response;
}

const without = <T>(all: readonly T[], one: T): T[] => all.filter((each) => each !== one);
/** One of each project for all who read, and all who are refused: they change nothing in it. */
const worlds = new Map<string, Promise<World>>();
function standing(projectId: 'own' | 'other'): Promise<World> {
  const known = worlds.get(projectId) ?? makeWorld(gateway, { projectId });
  worlds.set(projectId, known);
  return known;
}
const absent: Record<string, string> = {
  project_id: 'nothing',
  metrics_id: 'nothing',
  client_id: 'weir_cid_nothing',
  stream_id: 'mst_nothing',
  source_id: 'src_nothing',
  secret_id: 'weir_sec_nothing',
  kid: 'nothing',
  token_id: 'weir_tok_nothing',
};

it('has every operation of the document', () => {
  expect(matrix.length).toBeGreaterThan(25);
});

describe.each(matrix)('$name', ({ name, scope, success, isOfProject, namesProject }) => {
  it('is 401 without a token, with one that is none, with a scrape token and by Basic', async () => {
    const world = await standing('own');
    for (const authorization of [undefined, 'Bearer garbage', ...lasting]) {
      const response = await ask(name, world, authorization);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="weir"/);
    }
  });

  it('is 403 to a scraper and producer, whether it is there or not', async () => {
    const world = await standing('own');
    const scraper = await bearer('own', ['read:metrics', 'write:metrics']);
    const refused = await ask(name, world, scraper);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toContain(`scope="${scope}"`);
    const text = await refused.text();
    for (const ids of [(await standing('other')).ids, absent]) {
      const same = await ask(name, world, scraper, ids);
      expect([same.status, await same.text()]).toEqual([403, text]);
    }
  });

  it('is 403 to a client of the project with every other scope', async () => {
    const everyOther = await bearer('own', without(projectScopes, scope));
    expect((await ask(name, await standing('own'), everyOther)).status).toBe(403);
  });

  it('is 403 to an operator with every other scope', async () => {
    const everyOther = await bearer(null, without(managementScopes as readonly Scope[], scope));
    expect((await ask(name, await standing('own'), everyOther)).status).toBe(403);
  });

  if (isOfProject) {
    it('is open to a client of the project with the scope', async () => {
      const of = operationNamed(name);
      const world = changes(of) ? await makeWorld(gateway, { projectId: 'own', of }) : await standing('own');
      expect((await ask(name, world, await bearer('own', projectScopes))).status).toBe(success);
    });

    if (namesProject) {
      it('is 404 to a client of another project, who cannot tell it from what does not exist', async () => {
        const theirs = await standing('other');
        const caller = await bearer('own', projectScopes);
        const foreign = await ask(name, theirs, caller);
        expect(foreign.status).toBe(404);
        const nothing = await ask(name, theirs, caller, absent);
        expect([nothing.status, await nothing.text()]).toEqual([404, await foreign.text()]);
      });
    }
  } else {
    it('cannot be granted to a client of a project', async () => {
      await expect(gateway.client('own', [scope])).rejects.toThrow('cannot have the scope');
    });
  }

  it('is open to an operator with the scope, in every project', async () => {
    const operator = await bearer(null, managementScopes);
    const of = operationNamed(name);
    for (const projectId of ['own', 'other'] as const) {
      // In a project of its own: it may delete it.
      const world = changes(of) ? await makeWorld(gateway, { of }) : await standing(projectId);
      expect((await ask(name, world, operator)).status).toBe(success);
    }
  });

  if (namesProject) {
    it('is 404 to an operator when it is not there', async () => {
      const operator = await bearer(null, managementScopes);
      expect((await ask(name, await standing('own'), operator, absent)).status).toBe(404);
    });
  }
});
