import { isIP } from 'node:net';
import { WeirError } from '../domain/errors.js';
import { isGlobalAddress } from '../net/addresses.js';

/**
 * Where a client may publish its keys; null for nowhere. Whether a name leads to a public address is seen whenever it is
 * asked. Throws `invalid`.
 */
export function checkJwksUrl(text: string | null): string | null {
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') throw invalid('The JWKS URL must be an https URL.');
  if (url.username !== '' || url.password !== '') {
    throw invalid('The JWKS URL must not carry a user name or password; keys that are published need none.');
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (/^(.*\.)?localhost\.?$/.test(host) || (isIP(host) !== 0 && !isGlobalAddress(host))) {
    throw invalid('The JWKS URL must be at a public address.');
  }
  return text;
}

/** What the log may say of a URL: its query may hold a secret, and so may what stands before the host. */
export function loggedUrl(text: string): string {
  if (!URL.canParse(text)) return 'no URL';
  const { origin, pathname } = new URL(text);
  return `${origin}${pathname}`;
}

const invalid = (sentence: string): WeirError => new WeirError('invalid', sentence);
