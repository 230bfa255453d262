import type { z } from '@hono/zod-openapi';
import { WeirError } from '../../domain/errors.js';
import { printable } from '../../domain/ids.js';
import { type Ctx, header, readBody } from '../context.js';

/** A file of client keys (64 KiB) as JSON text, with room for its escapes. */
export const largestBody = 128 * 1024;
export const deepestBody = 16;

/** The body as it came, within its limit. */
export const readBytes = (c: Ctx): Promise<Buffer> =>
  readBody(
    c,
    largestBody,
    (actual) =>
      new WeirError('too_large', `The body has ${actual} bytes; ${largestBody} are allowed.`, {
        max: largestBody,
        actual,
      }),
  );

/** JSON, or `undefined` for an empty body. */
export function parseJson(c: Ctx, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const type = (header(c, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new WeirError('unsupported_media_type', 'The Content-Type must be application/json.', {
      field: 'Content-Type',
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new WeirError('invalid', 'The body is not well-formed JSON in UTF-8.');
  }
  if (isDeeper(value, deepestBody)) {
    throw new WeirError('invalid', `The body is nested more than ${deepestBody} levels deep.`);
  }
  return value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

/** The parameters after the `?`, each of which may stand there once. */
export function readQuery(c: Ctx): Record<string, string> {
  const { url = '' } = c.env.incoming;
  const question = url.indexOf('?');
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(question < 0 ? '' : url.slice(question + 1))) {
    if (name === 'access_token') {
      throw new WeirError('invalid', 'Tokens are not taken from the URL; send the Authorization header.', {
        field: name,
      });
    }
    if (query.has(name)) throw refused(name, `The parameter ${printable(name)} appears twice.`);
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

/** The value in the form of the schema; throws `invalid` with a sentence that names the first wrong field. */
export function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const field = [...path, issue.keys[0]!].join('.');
    throw refused(field, `There is no field "${printable(field)}" here.`);
  }
  const field = path.join('.');
  if (issue.code === 'custom') throw refused(field, issue.message);
  if (field === '') throw new WeirError('invalid', 'The body must be a JSON object.');
  if (issue.code === 'invalid_type' && valueAt(value, path) === undefined) {
    throw refused(field, `The field ${field} is missing.`);
  }
  throw refused(field, `The field ${field} does not fit: ${issue.message.replace(/^Invalid input: /, '')}.`);
}

const refused = (field: string, sentence: string): WeirError =>
  new WeirError('invalid', sentence, field === '' ? {} : { field: printable(field) });

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value);

/** A schema with one of the domain's own rules behind it, whose sentence is the answer. */
export const ruled = <S extends z.ZodType>(schema: S, rule: (value: z.output<S>) => unknown): S =>
  schema.superRefine((value, context) => {
    try {
      rule(value as z.output<S>);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
