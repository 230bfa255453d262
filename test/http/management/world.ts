import { generateKeyPairSync } from 'node:crypto';
import { managementScopes } from '../../../src/domain/scopes.js';
import type { Operation } from '../../../src/http/management/operation.js';
import { operations } from '../../../src/http/management/operations.js';
import type { TestGateway } from '../../support/gateway.js';

/** What an operation can be about, made anew so that it may be changed and deleted. */
export interface World {
  readonly projectId: string;
  /** What stands for each `{name}` of a path. */
  readonly ids: Readonly<Record<string, string>>;
}

let worlds = 0;

interface Wanted {
  /** One that is there; without it, a project is made. */
  readonly projectId?: string;
  /** Only what this operation is about; without one, one of everything there is. */
  readonly of?: Pick<Operation, 'path' | 'body'>;
}

/** A project with an endpoint, a stream and a source, and a client with two secrets, a public key and a scrape token. */
export async function makeWorld(gateway: TestGateway, wanted: Wanted = {}): Promise<World> {
  const { admin } = gateway;
  const { projectId = `world-${++worlds}`, of } = wanted;
  if (wanted.projectId === undefined) await gateway.project(projectId);
  const ids: Record<string, string> = { project_id: projectId };
  const isWanted = (...names: string[]): boolean =>
    of === undefined || names.some((name) => of.path.includes(`{${name}}`) || (of.body && name in of.body.example));
  if (isWanted('metrics_id', 'source_id')) {
    ids.metrics_id = (await admin.endpoints.create({ name: 'e', projectId, metricsId: `e${++worlds}` })).metricsId;
  }
  if (isWanted('client_id')) {
    const { client } = await admin.clients.create({ name: 'c', projectId, scopes: ['read:metrics'] });
    ids.client_id = client.id;
    if (isWanted('secret_id')) {
      await admin.clients.rotate(client.id, 0);
      ids.secret_id = (await admin.clients.secrets(client.id))[0]!.id;
    }
    if (isWanted('kid')) ids.kid = (await admin.clients.addKeys(client.id, publicKey()))[0]!.kid;
    if (isWanted('token_id')) {
      const { scrapeToken } = await admin.clients.createScrapeToken(client.id, { lifetimeMs: 86_400_000 });
      ids.token_id = scrapeToken.id;
    }
  }
  if (isWanted('stream_id')) {
    const stream = { name: 's', subscriptions: [{ metric_type: 'project.metrics' }], destination: nowhere };
    ids.stream_id = (await admin.streams.create(projectId, stream)).id;
  }
  if (isWanted('source_id')) {
    const source = { name: 's', metrics_id: ids.metrics_id, type: 'exporter', url: 'http://127.0.0.1:1/metrics' };
    ids.source_id = (await admin.sources.create(projectId, { ...source, status: 'disabled' })).id;
  }
  return { projectId, ids };
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
