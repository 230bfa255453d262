import { isUtf8 } from 'node:buffer';
import { decodeJwt, errors } from 'jose';
import { OAuthError } from './oauth-error.js';

/** The parameters of a token request; empty values are left out, as RFC 6749 §3.2 says. */
export type TokenParameters = ReadonlyMap<string, string>;

/** A client id and the secret that came with it. */
export interface Candidate {
  readonly clientId: string;
  readonly secret: string;
}

/** What the client presented. Basic may be read in two ways, form-urlencoded first (RFC 6749 §2.3.1), then raw. */
export interface PresentedCredentials {
  readonly method: 'basic' | 'body';
  readonly candidates: readonly [Candidate, ...Candidate[]];
}

const knownParameters = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'assertion',
  'scope',
  'audience',
  'resource',
];

/** Whether the token endpoint reads it; it ignores all others (RFC 6749 §3.2). */
export const isKnownParameter = (name: string): boolean => knownParameters.includes(name);

/** A name that is none of ours is not repeated: it may be a secret in the wrong place. */
export const repeatedParameter = (name: string): OAuthError =>
  new OAuthError(
    'invalid_request',
    `The ${isKnownParameter(name) ? `parameter ${name}` : 'same parameter'} appears twice.`,
  );

/** Reads a form body. Throws `invalid_request` for one that is malformed or repeats a parameter (RFC 6749 §3.2). */
export function readParameters(body: Buffer): TokenParameters {
  if (!isUtf8(body) || body.includes(0)) throw new OAuthError('invalid_request', 'The body is not valid UTF-8 text.');
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    // RFC 8707 allows several resources.
    if (seen.has(name) && name !== 'resource') throw repeatedParameter(name);
    seen.add(name);
    if (value === '') continue;
    const before = parameters.get(name);
    parameters.set(name, before === undefined ? value : `${before} ${value}`);
  }
  return parameters;
}

/**
 * Client credentials from HTTP Basic or from the body, for any client, in one place only (RFC 6749 §2.3). Throws
 * `invalid_client` when there are none.
 */
export function readCredentials(authorization: string | undefined, parameters: TokenParameters): PresentedCredentials {
  const bodyId = parameters.get('client_id');
  const bodySecret = parameters.get('client_secret');
  if (authorization !== undefined) {
    const basic = readBasic(authorization);
    if (bodySecret !== undefined) {
      throw new OAuthError('invalid_request', 'Send the client secret by HTTP Basic or in the body, not both.');
    }
    if (bodyId !== undefined && !basic.candidates.some(({ clientId }) => clientId === bodyId)) {
      throw new OAuthError('invalid_request', 'The client_id of the body differs from the one in HTTP Basic.');
    }
    return basic;
  }
  if (bodyId === undefined || bodySecret === undefined) {
    throw new OAuthError('invalid_client', 'Client id and secret are missing; send them by HTTP Basic or in the body.');
  }
  return { method: 'body', candidates: [{ clientId: bodyId, secret: bodySecret }] };
}

/** Throws `invalid_client` for what is not well-formed. */
export function readBasic(authorization: string): PresentedCredentials {
  const match = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization);
  if (match === null) {
    throw new OAuthError(
      'invalid_client',
      'The Authorization header is not well-formed HTTP Basic (client id, colon, secret).',
    );
  }
  const text = Buffer.from(match[1]!, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new OAuthError('invalid_client', 'HTTP Basic must carry client id, colon, secret.');
  const raw = { clientId: text.slice(0, colon), secret: text.slice(colon + 1) };
  const decoded = { clientId: formDecoded(raw.clientId), secret: formDecoded(raw.secret) };
  if (decoded.clientId === undefined || decoded.secret === undefined) return { method: 'basic', candidates: [raw] };
  if (decoded.clientId === raw.clientId && decoded.secret === raw.secret) return { method: 'basic', candidates: [raw] };
  return { method: 'basic', candidates: [{ clientId: decoded.clientId, secret: decoded.secret }, raw] };
}

/** RFC 6749 appendix B; `undefined` for a malformed escape. */
function formDecoded(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** The client that a request says it is of, in each way it can be read, whether it proves it or not. */
export function claimedClients(authorization: string | undefined, parameters: TokenParameters): string[] {
  try {
    if (authorization !== undefined) return readBasic(authorization).candidates.map(({ clientId }) => clientId);
    const assertion = parameters.get('client_assertion') ?? parameters.get('assertion');
    const claimed = parameters.get('client_id') ?? (assertion === undefined ? undefined : decodeJwt(assertion).iss);
    return claimed === undefined ? [] : [claimed];
  } catch (error) {
    if (error instanceof OAuthError || error instanceof errors.JOSEError) return [];
    throw error;
  }
}
