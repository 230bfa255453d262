import { AccessTokens } from '../auth/access-token.js';
import { Assertions } from '../auth/assertion.js';
import type { PublicKey } from '../auth/client-keys.js';
import { ClientSecrets } from '../auth/client-secrets.js';
import { type ExternalIssuer, ExternalIssuers } from '../auth/external-issuers.js';
import { loggedUrl } from '../auth/jwks-url.js';
import { LastUses } from '../auth/last-uses.js';
import { Proofs } from '../auth/proofs.js';
import { Regulation, regulationDefaults } from '../auth/regulation.js';
import { RemoteJwks } from '../auth/remote-jwks.js';
import { ScrapeTokens } from '../auth/scrape-tokens.js';
import type { SecretHasher } from '../auth/secrets.js';
import type { SigningKeys } from '../auth/signing-keys.js';
import { TokenService } from '../auth/token-service.js';
import { TokenStatus } from '../auth/token-status.js';
import type { Config } from '../config.js';
import type { Client } from '../domain/client.js';
import { WeirError } from '../domain/errors.js';
import type { Soon } from '../domain/soon.js';
import { Authenticator } from '../http/authenticate.js';
import type { TrustedProxies } from '../http/client-address.js';
import { RateLimit } from '../http/rate-limit.js';
import { parseNetworks } from '../net/addresses.js';
import { guardedFetch, systemLookup } from '../net/egress.js';
import { EgressError } from '../net/egress-error.js';
import type { Directory } from '../storage/directory.js';
import type { ClientRecord, Store } from '../storage/store.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { Seams } from './seams.js';

interface Ground {
  readonly config: Config;
  readonly seams: Seams;
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly keys: SigningKeys;
  readonly directory: Directory;
  readonly metrics: GatewayMetrics;
}

/** Who is who: all that checks credentials, and issues and judges tokens. */
export interface Authentication {
  readonly tokens: AccessTokens;
  readonly uses: LastUses;
  readonly regulation: Regulation;
  readonly externalIssuers: ExternalIssuers;
  readonly authenticator: Authenticator;
  readonly service: TokenService;
  readonly status: TokenStatus;
}

export async function openAuthentication(
  { config, seams, store, hasher, keys, directory, metrics }: Ground,
  { issuer, trustedProxies }: { issuer: () => string; trustedProxies: TrustedProxies },
): Promise<Authentication> {
  const { clock, random, log } = seams;
  const tokens = new AccessTokens({ keys, clock, random, lifetimeSeconds: config.tokens.lifetimeSeconds });
  const uses = new LastUses();
  const regulation = await openRegulation(store, hasher, directory, metrics, seams);
  const proofs = new Proofs(clock, (outcome) => metrics.authenticated(outcome));
  const secrets = new ClientSecrets({ directory, hasher, clock, uses, regulation, proofs });
  const scrapeTokens = new ScrapeTokens({ directory, hasher, clock });
  const externalIssuers = openExternalIssuers(config.externalIssuers, seams);
  const authenticator = new Authenticator({
    tokens,
    scrapeTokens,
    secrets,
    externalIssuers,
    uses,
    directory,
    clock,
    trustedProxies,
  });
  const clientJwks = new RemoteJwks({
    clock,
    fetch: (url, limits) => guardedFetch(url, { method: 'GET', ...limits }, seams.egress ?? { lookup: systemLookup }),
    onFailure: (url, error) => log.warn({ err: error, url: loggedUrl(url) }, "a client's JWKS cannot be fetched"),
  });
  const assertions = new Assertions({
    clock,
    audiences: () => [issuer(), `${issuer()}/oauth/token`],
    keysOf: async (clientId, kid) => {
      const live = await directory.clientInEqualTime(clientId);
      if (live === undefined || live.client.disabledAt !== null) return [];
      return clientKeys(live, kid, clientJwks);
    },
    wasTaken: (clientId, jti) => store.clients.wasAssertionTaken(clientId, jti),
    takeOnce: (clientId, jti, endsAt) => store.clients.takeAssertion(clientId, jti, endsAt),
  });
  const tokenRequests = new RateLimit('token_requests_per_minute', clock);
  const admit = ({ id, projectId }: Client): Soon<void> => {
    if (projectId === null) return tokenRequests.check(id, directory.limitsOutsideProjects);
    const known = directory.peekProject(projectId);
    if (known !== undefined) return tokenRequests.check(id, known.limits);
    return directory.project(projectId).then((project) => {
      if (project !== undefined) tokenRequests.check(id, project.limits);
    });
  };
  return {
    tokens,
    uses,
    regulation,
    externalIssuers,
    authenticator,
    service: new TokenService({ directory, secrets, tokens, assertions, proofs, admit, issuer }),
    status: new TokenStatus({ tokens, scrapeTokens, directory, store: store.clients, issuer }),
  };
}

/**
 * Those that are registered, and those that the client publishes, unless a registered one is meant. Throws `unavailable` when
 * they cannot be had and no registered one could be it.
 */
async function clientKeys(
  { client: { jwksUrl }, keys }: ClientRecord,
  kid: string | undefined,
  jwks: RemoteJwks,
): Promise<readonly PublicKey[]> {
  const registered = keys as readonly PublicKey[];
  if (jwksUrl === null || registered.some((key) => key.kid === kid)) return registered;
  try {
    return [...registered, ...(await jwks.keys(jwksUrl, kid))];
  } catch (error) {
    const isUnavailable = error instanceof WeirError && error.code === 'unavailable';
    if (isUnavailable && kid === undefined && registered.length > 0) return registered;
    throw error;
  }
}

/** Holds the bans of all processes on the store, and those that commands lift. */
async function openRegulation(
  store: Store,
  hasher: SecretHasher,
  directory: Directory,
  metrics: GatewayMetrics,
  { clock, log }: Seams,
): Promise<Regulation> {
  const regulation = new Regulation({
    ...regulationDefaults,
    store: store.bans,
    clock,
    mac: (text) => hasher.mac(text),
    report: ({ type, ban }) => {
      metrics.ban(type === 'not-stored' ? 'not_stored' : type);
      log.warn({ client_id: ban.clientId, address: ban.address }, `guessing of secrets: ${type}`);
    },
  });
  await regulation.reload();
  directory.onChange((changes) => {
    regulation.follow(changes).catch((error) => log.error({ err: error }, 'the bans could not be read again'));
  });
  return regulation;
}

/** Their key sets have a place of their own, so that the JWKS URLs of clients cannot push them out. */
function openExternalIssuers(issuers: readonly ExternalIssuer[], { clock, log }: Seams): ExternalIssuers {
  const jwks = new RemoteJwks({
    clock,
    fetch: (url, limits) => {
      const allowedNetworks = parseNetworks(external.networksOf(url));
      // The configuration takes plain http for this machine only.
      return guardedFetch(
        url,
        { method: 'GET', allowHttp: true, allowedNetworks, ...limits },
        { lookup: systemLookup },
      );
    },
    onFailure: (url, error) => {
      const sentence = "an external issuer's keys cannot be fetched; the last ones serve for a day";
      const isOutOfBounds = error instanceof EgressError && error.fault === 'destination';
      log.warn(
        { err: error, url: loggedUrl(url) },
        isOutOfBounds ? `${sentence}. Is it not public? See jwks_networks` : sentence,
      );
    },
  });
  const external = new ExternalIssuers({ issuers, jwks, clock });
  return external;
}
