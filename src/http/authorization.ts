import { OAuthError } from '../auth/oauth-error.js';
import { readBasic } from '../auth/token-request.js';
import { WeirError } from '../domain/errors.js';

const bearerForm = /^[^ ]+ +([A-Za-z0-9._~+/-]+=*) *$/;

const isBearer = (authorization: string): boolean => /^bearer( |$)/i.test(authorization);
export const isBasic = (authorization: string): boolean => /^basic( |$)/i.test(authorization);

/** RFC 6750 §2.1. The scheme's case does not matter, the token's form does. */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || !isBearer(authorization)) {
    const detail = 'A bearer token is needed; get one from POST /oauth/token with the client credentials.';
    throw new WeirError('unauthenticated', detail);
  }
  const match = bearerForm.exec(authorization);
  if (match === null) {
    throw new WeirError('invalid', 'The Authorization header must be "Bearer", a blank and one token.', {
      field: 'Authorization',
    });
  }
  return match[1]!;
}

/**
 * The one spelling of the header that is remembered, of all that mean the same: case of the scheme, any number of blanks,
 * kinds of base64. `undefined` for what is malformed, and for Basic that can be read in two ways: no secret of ours can.
 */
export function canonicalHeader(authorization: string): string | undefined {
  if (isBearer(authorization)) {
    const token = bearerForm.exec(authorization)?.[1];
    return token && ownCopy(`Bearer ${token}`);
  }
  if (!isBasic(authorization)) return undefined;
  try {
    const [{ clientId, secret }, ...others] = readBasic(authorization).candidates;
    return others.length > 0 ? undefined : `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
  } catch (error) {
    if (error instanceof OAuthError) return undefined;
    throw error;
  }
}

/** What is cut out of a text keeps all of it in memory. */
const ownCopy = (ascii: string): string => Buffer.from(ascii, 'latin1').toString('latin1');
