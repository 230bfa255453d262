import { WeirError } from './errors.js';

/** What a customer's or producer's client may be granted. */
export const projectScopes = ['read:metrics', 'write:metrics'] as const;
export type Scope = (typeof projectScopes)[number];

/** An OAuth2 client of one project. */
export interface Client {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The metricsIds it may see; `null` for every endpoint of its project, present and future. */
  readonly endpoints: readonly string[] | null;
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

/** The stored half of a client secret: an HMAC, never the secret. */
export interface ClientSecret {
  readonly id: string;
  readonly clientId: string;
  readonly mac: Buffer;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

/** Scopes as a set, in the order of `projectScopes`; throws `invalid` naming the first unknown one. */
export function checkScopes(scopes: readonly string[]): Scope[] {
  const unknown = scopes.find((scope) => !(projectScopes as readonly string[]).includes(scope));
  if (unknown !== undefined) {
    throw new WeirError('invalid', `The scope "${unknown}" is unknown; there are ${projectScopes.join(' and ')}.`);
  }
  if (scopes.length === 0) throw new WeirError('invalid', `A client needs a scope: ${projectScopes.join(' or ')}.`);
  return projectScopes.filter((scope) => scopes.includes(scope));
}

export const maySee = (client: Client, metricsId: string): boolean =>
  client.endpoints === null || client.endpoints.includes(metricsId);
