import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { OperatorError } from '../../../domain/errors.js';

// The options that several backends share, with the sentences an operator reads.

export const tags = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean()], { error: 'Write a tag as "name: value".' }),
  { error: 'Write tags as a map of "name: value" lines.' },
);
export const host = z.string({ error: 'Write a host name or address here.' }).min(1, { error: 'The host is empty.' });
export const port = z
  .int({ error: 'Write a port from 1 to 65535 here.' })
  .min(1, { error: 'A port is from 1 to 65535.' })
  .max(65_535, { error: 'A port is from 1 to 65535.' });
export const path = z.string({ error: 'Write a path here, as text.' }).min(1, { error: 'The path is empty.' });
export const httpUrl = z
  .string({ error: 'Write an http or https URL here.' })
  .refine((text) => /^https?:\/\/[^\s@]+$/i.test(text) && URL.canParse(text), {
    error: 'This is not an http or https URL without a user name; keys go into a file.',
  });

/** The one line of a file with a secret. Throws `OperatorError`. */
export function readSecret(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new OperatorError(`The file ${file} with an API key cannot be read: ${(error as Error).message}.`);
  }
  if (!/^[\x21-\x7e]+$/.test(text)) throw new OperatorError(`The file ${file} must hold one API key and nothing else.`);
  return text;
}
