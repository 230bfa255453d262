import { z } from 'zod';
import { metricsScopes } from '../domain/scopes.js';
import { parseNetworks } from '../net/addresses.js';
import { signatureAlgorithms } from './client-keys.js';
import { bareType, type ExternalIssuer, ourId } from './external-issuers.js';

// Sentences are for the operator; values are never quoted.

const strictMap = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: 'This must be a map of "key: value" lines.' });

const text = (what: string) =>
  z
    .string({ error: `Write ${what} here, as text.` })
    .min(1, { error: `Write ${what} here.` })
    .max(500, { error: 'This is longer than 500 characters.' });

const oneOrMore = <T>(item: z.ZodType<T>, what: string) => {
  const error = `Write ${what} here, one or a list.`;
  return z.union([z.array(item).min(1, { error }), item.transform((single): T[] => [single])], { error });
};

const loopback = ['127.0.0.0/8', '::1'];
const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);

const jwksUrl = text('the URL of its public keys').refine(
  (url) => {
    const { protocol, hostname, username, password } = URL.canParse(url) ? new URL(url) : ({} as Partial<URL>);
    if (username !== '' || password !== '') return false;
    return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname!));
  },
  {
    error:
      'Write the https URL of its public keys (the "jwks_uri" of its /.well-known/openid-configuration); ' +
      'http is for loopback addresses only.',
  },
);

const isNetwork = (written: string): boolean => {
  try {
    return parseNetworks([written]) !== undefined;
  } catch {
    return false;
  }
};
const network = text('a network').refine(isNetwork, {
  error: 'This is not a network; write it like 10.0.0.0/8 or fd00::/8.',
});

const issuerName = text('the issuer').refine((name) => /^https?:\/\/[^\s?#]+$/.test(name) && URL.canParse(name), {
  error: 'Write the issuer exactly as it stands in the "iss" of its tokens: a URL, with its final slash if it has one.',
});

const ourScope = z.enum(metricsScopes, { error: `Write ${metricsScopes.join(' or ')} here.` });
const ourProject = text('a project id').regex(ourId, { error: 'Write the id of a project of ours here.' });

const externalIssuer = strictMap({
  issuer: issuerName,
  jwks_url: jwksUrl,
  jwks_networks: oneOrMore(network, 'networks such as 10.0.0.0/8').nullish(),
  audience: oneOrMore(text('an audience'), 'the audience its tokens for us have'),
  typ: oneOrMore(z.enum(['at+jwt', 'JWT']), 'at+jwt or JWT').nullish(),
  algorithms: oneOrMore(z.enum(signatureAlgorithms), `algorithms out of ${signatureAlgorithms.join(', ')}`).nullish(),
  claims: strictMap({
    project: text('the name of the claim with the project'),
    endpoints: text('the name of the claim with the endpoints').nullish(),
    scope: text('the name of the claim with the scopes'),
    scope_map: z.record(text('a scope of theirs'), oneOrMore(ourScope, metricsScopes.join(' or '))).nullish(),
    project_map: z.record(text('a project of theirs'), ourProject).nullish(),
  }),
}).transform(
  ({ issuer, jwks_url, jwks_networks, audience, typ, algorithms, claims }): ExternalIssuer => ({
    issuer,
    jwksUrl: jwks_url,
    jwksNetworks: [...(jwks_networks ?? []), ...(isLoopback(new URL(jwks_url).hostname) ? loopback : [])],
    audiences: audience,
    types: (typ ?? ['at+jwt']).map(bareType),
    algorithms: algorithms ?? ['RS256'],
    claims: {
      project: claims.project,
      endpoints: claims.endpoints ?? undefined,
      scope: claims.scope,
      projectMap: asMap(claims.project_map),
      scopeMap: asMap(claims.scope_map),
    },
  }),
);

const asMap = <T>(record: Record<string, T> | null | undefined): ReadonlyMap<string, T> | undefined =>
  record ? new Map(Object.entries(record)) : undefined;

/** The value of the configuration key `external_issuers`. */
export const externalIssuersSchema = z
  .array(externalIssuer, { error: 'This must be a list of issuers.' })
  .refine((issuers) => new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length, {
    error: 'An issuer is listed twice.',
  });
