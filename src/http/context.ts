import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Origin } from '../auth/client-secrets.js';
import type { AccessReason } from '../domain/access.js';
import { type LimitsAt, ownerOf } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { limitExceeded } from '../domain/limits.js';
import type { BodyLoan } from './body-budget.js';

/** Every request comes through @hono/node-server; the hot paths read and write Node's own objects. */
export type Env = { Bindings: HttpBindings & RequestFacts };
/** What a request is answered from, whether or not Hono has routed it. */
export type Ctx = Pick<Context<Env>, 'env'>;
/** One that Hono has routed. */
export type RoutedCtx = Context<Env>;

/**
 * Whose credentials were refused. `proved`: they were that client's once, such as a token of ours that has expired; else they
 * only name it, and the reason is in the error.
 */
export type Suspect =
  | { readonly clientId: string; readonly proved: true; readonly reason: AccessReason }
  | { readonly clientId: string; readonly proved: false; readonly reason?: 'unknown_token' };

/** What is found out about a request on its way, for the log. */
export interface RequestFacts {
  /** Whose credentials it carries, once they have proved good. */
  caller?: { readonly clientId: string; readonly projectId: string | null };
  /** Who it says it is, when that was refused. */
  suspect?: Suspect;
  /** Where it comes from, once somebody has asked. */
  origin?: Origin;
  /** When it came; monotonic time. */
  begun?: number;
  /** There once something was logged about it. */
  requestId?: string;
}

/** A header as Node read it; several lines of one name are joined by commas. */
export function header(c: Ctx, name: string): string | undefined {
  const value = c.env.incoming.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The segments of the path that was routed, percent-escapes and all: `/a/b%2Fc` is `['a', 'b%2Fc']`. */
export function pathSegments(c: RoutedCtx): string[] {
  const [path = ''] = c.req.url.replace(/^[^:]+:\/\/[^/]*/, '').split(/[?#]/, 1);
  return path.split('/').slice(1);
}

export interface Reading {
  /** Puts the pieces together. */
  readonly gather: (chunks: Buffer[], length: number) => Buffer;
  /** Where its bytes are held, as they come. */
  readonly loan: BodyLoan | undefined;
}

/**
 * The body; refused with `refuse` as soon as it is larger than `max` (0 for no limit), and with `unavailable` when its loan has
 * no room for it, by what it declares or by what comes. The rest is not read: the answer closes the connection.
 */
export function readBody(
  c: Ctx,
  max: number,
  refuse: (actual: number) => Error,
  { gather, loan }: Reading = { gather: Buffer.concat, loan: undefined },
): Promise<Buffer> {
  const { incoming, outgoing } = c.env;
  return new Promise((resolve, reject) => {
    const stop = (error: unknown): void => {
      outgoing.setHeader('Connection', 'close');
      reject(error);
    };
    const declared = Number(incoming.headers['content-length'] ?? 0);
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      try {
        if (max > 0 && length > max) throw refuse(length);
        loan?.take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        incoming.off('data', onData);
        incoming.pause();
        stop(error);
      }
    };
    const broken = (): void => reject(new WeirError('invalid', 'The request body ended early.'));
    // Of a connection that has gone since the request came, nothing would be heard any more.
    if (incoming.destroyed && !incoming.readableEnded) return broken();
    try {
      if (max > 0 && declared > max) throw refuse(declared);
      loan?.check(declared);
    } catch (error) {
      return stop(error);
    }
    incoming.on('data', onData);
    incoming.on('end', () => resolve(gather(chunks, length)));
    incoming.on('error', broken);
    incoming.on('close', () => {
      if (!incoming.readableEnded) broken();
    });
  });
}

/** The refusal of a body over one of the two limits on it. */
export function bodyTooLarge(
  limits: LimitsAt,
  limit: 'body_compressed_bytes' | 'body_inflated_bytes',
  actual: number,
): WeirError {
  const { message, facts } = limitExceeded(limit, limits[limit], actual, { of: ownerOf(limits, limit) });
  return new WeirError('too_large', message, facts);
}
