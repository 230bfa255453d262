import { readClientKeys } from '../auth/client-keys.js';
import type { LastUse } from '../domain/client.js';
import { formatDuration } from '../domain/duration.js';
import { inOrder } from '../domain/scopes.js';
import { parseObject } from './http.js';
import type { ClientFacts, ClientKeyFacts, Manager, ScrapeTokenFacts, SecretFacts } from './manager.js';
import { type RemoteApi, segment } from './remote-api.js';

interface ClientJson {
  readonly client_id: string;
  readonly project_id: string | null;
  readonly name: string;
  readonly scope: string;
  readonly endpoints: readonly string[] | null;
  readonly allow_basic: boolean;
  readonly disabled_at: string | null;
  readonly jwks_url: string | null;
  readonly created_at: string;
}

const msOrNull = (time: string | null): number | null => (time === null ? null : Date.parse(time));

const toClient = (json: ClientJson): ClientFacts => ({
  id: json.client_id,
  projectId: json.project_id,
  name: json.name,
  scopes: inOrder(json.scope.split(' ')),
  endpoints: json.endpoints,
  createdAt: Date.parse(json.created_at),
  disabledAt: msOrNull(json.disabled_at),
  allowBasic: json.allow_basic,
  jwksUrl: json.jwks_url,
});

interface UseJson {
  readonly last_used_at: string | null;
  readonly last_used_ip: string | null;
  readonly last_used_agent: string | null;
}
const toLastUse = ({ last_used_at: at, last_used_ip: ip, last_used_agent: agent }: UseJson): LastUse | null =>
  at === null ? null : { at: Date.parse(at), ip: ip ?? '', agent: agent ?? '' };

interface SecretJson extends UseJson {
  readonly secret_id: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}
const toSecret = (json: SecretJson): SecretFacts => ({
  id: json.secret_id,
  createdAt: Date.parse(json.created_at),
  expiresAt: msOrNull(json.expires_at),
  revokedAt: msOrNull(json.revoked_at),
  lastUse: toLastUse(json),
});

interface ScrapeTokenJson extends UseJson {
  readonly token_id: string;
  readonly name: string | null;
  readonly created_at: string;
  readonly expires_at: string;
}
const toScrapeToken = (json: ScrapeTokenJson): ScrapeTokenFacts => ({
  id: json.token_id,
  name: json.name,
  createdAt: Date.parse(json.created_at),
  expiresAt: Date.parse(json.expires_at),
  lastUse: toLastUse(json),
});

interface KeysJson {
  readonly keys: readonly { readonly kid: string; readonly kty: string; readonly created_at: string }[];
}
const toKeys = ({ keys }: KeysJson): ClientKeyFacts[] =>
  keys.map(({ kid, kty, created_at }) => ({ kid, jwk: { kty }, createdAt: Date.parse(created_at) }));

/** A file of keys as the API takes it: a JWK or JWKS as its keys, anything else as PEM. */
function keysBody(content: Buffer): object {
  const text = content.toString('utf8').replace(/^\uFEFF/, '');
  const parsed = parseObject(text);
  if (Array.isArray(parsed.keys)) return { keys: parsed.keys };
  return typeof parsed.kty === 'string' ? { keys: [parsed] } : { pem: text };
}

export function remoteClients(api: RemoteApi): Manager['clients'] {
  const at = (id: string, ...below: string[]): string => ['/clients', ...[id, ...below].map(segment)].join('/');
  const patch = async (id: string, body: object) => toClient(await api.ask('PATCH', at(id), { body }));
  return {
    create: async ({ name, projectId, scopes, endpoints, allowBasic }) => {
      const owner = projectId === null ? { operator: true } : { project_id: projectId };
      const narrowed = endpoints === undefined || endpoints.length === 0 ? undefined : endpoints;
      const body = { ...owner, name, scope: scopes.join(' '), endpoints: narrowed, allow_basic: allowBasic };
      const made = await api.ask<ClientJson & { client_secret: string }>('POST', '/clients', { body });
      return { client: toClient(made), secret: made.client_secret };
    },
    list: async (projectId) =>
      (await api.all<ClientJson>('/clients', 'clients', { project_id: projectId })).map(toClient),
    update: (id, { jwksUrl, allowBasic, scopes, endpoints }) =>
      patch(id, { jwks_url: jwksUrl, allow_basic: allowBasic, scope: scopes?.join(' '), endpoints }),
    disable: (id) => patch(id, { status: 'disabled' }),
    enable: (id) => patch(id, { status: 'enabled' }),
    delete: (id) => api.ask('DELETE', at(id)),
    rotate: async (id, overlapMs) => {
      const body = { overlap: formatDuration(overlapMs) };
      const made = await api.ask<{ client_secret: string; previous_secret_expires_at: string | null }>(
        'POST',
        at(id, 'rotate'),
        { body },
      );
      return { secret: made.client_secret, previousEndsAt: msOrNull(made.previous_secret_expires_at) };
    },
    secrets: async (id) => (await api.ask<{ secrets: SecretJson[] }>('GET', at(id, 'secrets'))).secrets.map(toSecret),
    revokeSecret: (id, secretId) => api.ask('DELETE', at(id, 'secrets', secretId)),
    revokeTokens: (id) => api.ask('POST', at(id, 'revoke-tokens')),
    addKeys: async (id, content) => {
      // Before anything is sent: what is in the file by mistake may be a private key.
      await readClientKeys(content);
      return toKeys(await api.ask('POST', at(id, 'keys'), { body: keysBody(content) }));
    },
    keys: async (id) => toKeys(await api.ask('GET', at(id, 'keys'))),
    removeKey: (id, kid) => api.ask('DELETE', at(id, 'keys', kid)),
    createScrapeToken: async (id, { lifetimeMs, name }) => {
      const body = { name, expires_in: formatDuration(lifetimeMs) };
      const made = await api.ask<ScrapeTokenJson & { token: string }>('POST', at(id, 'scrape-tokens'), { body });
      return { token: made.token, scrapeToken: toScrapeToken(made) };
    },
    scrapeTokens: async (id) =>
      (await api.ask<{ scrape_tokens: ScrapeTokenJson[] }>('GET', at(id, 'scrape-tokens'))).scrape_tokens.map(
        toScrapeToken,
      ),
    revokeScrapeToken: (id, tokenId) => api.ask('DELETE', at(id, 'scrape-tokens', tokenId)),
  };
}
