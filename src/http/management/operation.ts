import type { z } from '@hono/zod-openapi';
import type { Admin } from '../../admin/admin.js';
import type { ManagementScope } from '../../domain/scopes.js';
import type { Expectation } from '../../storage/store.js';
import type { Caller } from './caller.js';

/**
 * One operation of the management API: what it takes, who may, what it answers and what it does. Requests are checked
 * against it and the OpenAPI document is written from it, so the two cannot differ.
 */
export interface Operation<P = unknown, Q = unknown, B = unknown> {
  /** The `operationId`. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api/v2`, with `{names}` as in OpenAPI. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  /** The scope a token must have. There is no operation without one. */
  readonly scope: ManagementScope;
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  /** A body that is `optional` may be left out; it is then `{}`. */
  readonly body?: { readonly schema: z.ZodType<B>; readonly example: object; readonly optional?: true };
  readonly answer: {
    readonly status: 200 | 201 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
    readonly example?: object;
  };
  /** Whether what it is about may be absent or another's: for all with ids in the path unless told otherwise. */
  readonly mayBeAbsent?: boolean;
  readonly mayConflict?: true;
  /** Nothing is written, although it is no GET. */
  readonly writes?: boolean;
  /** The answer carries an `ETag`: of all of it, or of what this leaves of it. */
  readonly tagged?: true | ((body: object) => unknown);
  /** Takes `If-Match`. */
  readonly conditional?: true;
  /** Takes `Idempotency-Key`. */
  readonly idempotent?: true;
  handle(call: Call<P, Q, B>): Promise<Answer>;
}

/** A request that has been let in and read. */
export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  /** On behalf of the caller. */
  readonly admin: Admin;
  /** The URL clients know the gateway by. */
  readonly url: string;
  readonly now: number;
  /** Throws `precondition_failed` unless the thing, as it is represented, is the one `If-Match` names. */
  expecting<T>(represent: (thing: T) => unknown): Expectation<T> | undefined;
}

/** Who asks, and what is done on their behalf: all of a request that a rule about reach wants. */
export type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'admin'>;

export interface Answer {
  readonly body?: unknown;
  /** Of what was created, below `/api/v2`. */
  readonly location?: string;
  /** The body for whoever repeats the request, without what is shown once. */
  readonly repeated?: unknown;
}

/** Infers the types of an operation's parts. */
export const operation = <P = unknown, Q = unknown, B = unknown>(described: Operation<P, Q, B>): Operation<P, Q, B> =>
  described;

export const hasPathIds = ({ path }: Pick<Operation, 'path'>): boolean => path.includes('{');
export const changes = ({ method, writes = true }: Pick<Operation, 'method' | 'writes'>): boolean =>
  method !== 'GET' && writes;
