import { randomBytes } from 'node:crypto';
import { WeirError } from './errors.js';

/** Randomness as an argument: bytes in, ids and secrets out. */
export type RandomBytes = (size: number) => Buffer;
export const systemRandom: RandomBytes = randomBytes;

const suppliedId = /^[A-Za-z0-9_-]{1,64}$/;

/** An id the vendor supplied for a project or endpoint; throws `invalid` unless it is `[A-Za-z0-9_-]{1,64}`. */
export function checkSuppliedId(kind: string, id: string): string {
  if (!suppliedId.test(id)) {
    throw new WeirError('invalid', `The ${kind} "${printable(id)}" must be 1 to 64 of A-Z, a-z, 0-9, "_" and "-".`);
  }
  return id;
}

/** Names are for people: any text of 1 to 200 characters without control characters. */
export function checkName(kind: string, name: string): string {
  const trimmed = name.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (trimmed === '' || trimmed.length > 200 || /[\u0000-\u001f\u007f]/.test(trimmed)) {
    throw new WeirError('invalid', `The ${kind} name must be 1 to 200 characters without control characters.`);
  }
  return trimmed;
}

export const newMetricsId = (random: RandomBytes): string => random(4).toString('hex');
export const newClientId = (random: RandomBytes): string => `weir_cid_${random(16).toString('base64url')}`;
export const newStreamId = (random: RandomBytes): string => `mst_${random(12).toString('base64url')}`;
export const newSourceId = (random: RandomBytes): string => `src_${random(12).toString('base64url')}`;
export const newDeliveryId = (random: RandomBytes): string => `dlv_${random(12).toString('base64url')}`;
export const newSecretId = (random: RandomBytes): string => `weir_sec_${random(9).toString('base64url')}`;
/** 256 bits in the URL-safe alphabet, so that raw and form-urlencoded Basic are the same text (RFC 6749 §2.3.1). */
export const newClientSecret = (random: RandomBytes): string => `weir_cs_${random(32).toString('base64url')}`;

export const newScrapeTokenId = (random: RandomBytes): string => `weir_tok_${random(9).toString('base64url')}`;

/**
 * A prefix for secret scanners, the client's id without its own, so that nobody has to search for it, and 256 bits. Only
 * characters that a bearer token may have (RFC 6750 §2.1).
 */
export const newScrapeToken = (clientId: string, random: RandomBytes): string =>
  `weir_st_${clientId.slice('weir_cid_'.length)}${random(32).toString('base64url')}`;

/** The client a scrape token says it is of; `undefined` for what has not the form of one. */
export function clientOfScrapeToken(token: string): string | undefined {
  const [, client] = /^weir_st_([A-Za-z0-9_-]{22})[A-Za-z0-9_-]{43}$/.exec(token) ?? [];
  return client && `weir_cid_${client}`;
}

/** Untrusted text for an error sentence: cut, and without control characters. */
export function printable(text: string, max = 80): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return clean.length > max ? `${clean.slice(0, max)}…` : clean;
}
