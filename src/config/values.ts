import { z } from 'zod';
import { parseDuration } from '../domain/duration.js';
import { WeirError } from '../domain/errors.js';
import { parseNetworks } from '../net/addresses.js';
import { parseProxy } from '../net/proxy.js';
import { parseListenAddress } from './listen-address.js';

/** The values of settings: one zod schema each, whether the text comes from a flag, the environment or the file. */

/** What `parse` makes of it. What it throws of ours says what is wrong with the setting. */
export const reading =
  <Written, Value>(parse: (written: Written) => Value) =>
  (written: Written, context: z.RefinementCtx): Value => {
    try {
      return parse(written);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  };

const text = <T>(what: string, parse: (text: string) => T) =>
  z.string({ error: `Write ${what} here, as text.` }).transform(reading(parse));

export const oneOf = <const Words extends readonly string[]>(words: Words) =>
  z.enum(words, { error: `Write one of ${words.join(', ')} here.` });

export const networks = z
  .string({ error: 'Write addresses or networks such as 10.0.0.0/8 here, with commas between.' })
  .transform((list) =>
    list
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  );

/** Checked, since a network that is misspelt would otherwise only show when a stream or source does not go through. */
export const allowedNetworks = networks.transform(
  reading((list) => {
    parseNetworks(list);
    return list;
  }),
);

/** What it reads is of no use here but to tell what is wrong: the URL is kept as it was written, and read where it is used. */
export const proxyUrl = text('the URL of an http proxy', (url) => {
  parseProxy(url);
  return url;
});

export const yesOrNo = z
  .union([z.boolean(), z.enum(['true', 'false'])], { error: 'Write true or false here.' })
  .transform((written) => written === true || written === 'true');

const unitBytes: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Less would refuse ordinary pushes that come at the same time. */
const leastMemory = 2 ** 20;

const memoryError = 'Write a size of 1MiB or more here, such as 256MiB: bytes, KiB, MiB or GiB.';

/** To bytes. */
export const memorySize = z
  .union([z.string(), z.number()], { error: memoryError })
  .transform((written) => {
    const [, amount, unit] = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(String(written)) ?? [];
    return Number(amount) * (unit === undefined ? 1 : unitBytes[unit]!);
  })
  .refine((bytes) => bytes >= leastMemory && Number.isSafeInteger(bytes), { error: memoryError });

export const filePath = z.string({ error: 'Write a path here, as text.' }).min(1, { error: 'The path is empty.' });

export const headerName = z
  .string({ error: 'Write the name of a header here, as text.' })
  .regex(/^[\w-]+$/, { error: 'The name of a header is letters, digits and hyphens, such as CF-IPCountry.' })
  .transform((name) => name.toLowerCase());

export const listenAddress = text('a listen address such as 127.0.0.1:8460', (address) => {
  parseListenAddress(address);
  return address;
});

export const externalUrl = text('a URL such as https://metrics.example.com', parseExternalUrl);
export const docsUrl = text('a URL such as https://docs.example.com/metrics/errors', parseDocsUrl);
export const tokenLifetime = text('a duration such as 15m', parseTokenLifetime);

/** The URL is never quoted, because it may carry the credentials it is refused for. */
function parseWebUrl(text: string, example: string): URL {
  const refuse = (sentence: string) => new WeirError('invalid', sentence);
  if (!/^https?:\/\/\S+$/i.test(text) || !URL.canParse(text)) {
    throw refuse(`This is not an http or https URL; write one such as ${example}.`);
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw refuse('The URL must not carry a user name or password.');
  if (/[?#]/.test(text)) throw refuse('The URL must not have a query or fragment (? or #).');
  return url;
}

/** It stands in every error, in a header of some: their size is bounded. */
const longestDocsUrl = 500;

function parseDocsUrl(text: string): string {
  const { href } = parseWebUrl(text, 'https://docs.example.com/metrics/errors');
  if (href.length > longestDocsUrl)
    throw new WeirError('invalid', `The URL is longer than ${longestDocsUrl} characters.`);
  return href;
}

/** To its origin. */
function parseExternalUrl(text: string): string {
  const refuse = (sentence: string) => new WeirError('invalid', sentence);
  const url = parseWebUrl(text, 'https://metrics.example.com');
  if (url.pathname !== '/') {
    throw refuse('The URL must not have a path; serve Weir at the root of a host name, not under a prefix.');
  }
  return url.origin;
}

/** To seconds. */
function parseTokenLifetime(text: string): number {
  const seconds = parseDuration(text) / 1000;
  if (!Number.isInteger(seconds) || seconds < 301 || seconds > 3600) {
    throw new WeirError(
      'invalid',
      'A token must live whole seconds from 301s to 1h; OpenTelemetry asks for a new one 5 minutes before the end.',
    );
  }
  return seconds;
}
