import { generateKeyPairSync } from 'node:crypto';
import { managementScopes } from '../../../src/domain/scopes.js';
import { operations } from '../../../src/http/management/operations.js';
import type { TestGateway } from '../../support/gateway.js';

/** One of everything an operation can be about, made anew so that it may be changed and deleted. */
export interface World {
  readonly projectId: string;
  /** What stands for each `{name}` of a path. */
  readonly ids: Readonly<Record<string, string>>;
}

let worlds = 0;

/** A project with an endpoint, and a client with two secrets and a public key. */
export async function makeWorld(gateway: TestGateway, projectId = `world-${++worlds}`): Promise<World> {
  const { admin } = gateway;
  if (!(await admin.projects.list()).some(({ id }) => id === projectId)) await gateway.project(projectId);
  const endpoint = await admin.endpoints.create({ name: 'e', projectId, metricsId: `e${++worlds}` });
  const { client } = await admin.clients.create({ name: 'c', projectId, scopes: ['read:metrics'] });
  await admin.clients.rotate(client.id, 0);
  const [secret] = await admin.clients.secrets(client.id);
  const [key] = await admin.clients.addKeys(client.id, publicKey());
  const { scrapeToken } = await admin.clients.createScrapeToken(client.id, { lifetimeMs: 86_400_000 });
  const stream = await admin.streams.create(projectId, {
    name: 's',
    subscriptions: [{ metric_type: 'project.metrics' }],
    destination: nowhere,
  });
  const source = await admin.sources.create(projectId, {
    name: 's',
    metrics_id: endpoint.metricsId,
    type: 'exporter',
    url: 'http://127.0.0.1:1/metrics',
    status: 'disabled',
  });
  return {
    projectId,
    ids: {
      source_id: source.id,
      stream_id: stream.id,
      project_id: projectId,
      metrics_id: endpoint.metricsId,
      client_id: client.id,
      secret_id: secret!.id,
      kid: key!.kid,
      token_id: scrapeToken.id,
    },
  };
}

/** Nobody listens there. */
const nowhere = { type: 'datadog', configuration: { api_key: 'k', url: 'http://127.0.0.1:1' } };

export const publicKey = (): Buffer =>
  Buffer.from(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }) as string,
  );

/** What an operation is called in the document: `GET /api/v2/projects/{project_id}`. */
export const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} /api/v2${path}`;

export const operationNamed = (name: string) => {
  const found = operations.find((each) => nameOf(each) === name);
  if (found === undefined) throw new Error(`there is no operation ${name}`);
  return found;
};

/** The path with the ids of the world; the signing key is the next one, without which nothing breaks. */
export async function pathIn(gateway: TestGateway, path: string, { ids }: World): Promise<string> {
  const nextKey = async () => (await gateway.admin.keys.list()).find(({ state }) => state === 'next')!.kid;
  const kid = path.includes('/signing-keys/') ? await nextKey() : ids.kid!;
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(name === 'kid' ? kid : ids[name]!));
}

/** The example of the document, about this world and nothing that is there already. */
export function bodyIn(example: object | undefined, { projectId, ids }: World): object | undefined {
  if (example === undefined) return undefined;
  const own: Record<string, unknown> = { ...example };
  if ('project_id' in own) own.project_id = projectId;
  if ('id' in own) own.id = `made-${++worlds}`;
  if ('destination' in own) own.destination = nowhere;
  if ('matchers' in own) {
    // A source: of an endpoint that is there, at a place where nobody listens.
    Object.assign(own, { metrics_id: ids.metrics_id, url: 'http://127.0.0.1:1', name: `made-${++worlds}` });
  } else if ('metrics_id' in own) own.metrics_id = `made-${++worlds}`;
  return own;
}

export const operatorScopes = managementScopes;
