import { z } from '@hono/zod-openapi';
import { Hono } from 'hono';
import type { Admin } from '../../admin/admin.js';
import { type AccessTokens, liveToken } from '../../auth/access-token.js';
import { WeirError } from '../../domain/errors.js';
import type { Directory } from '../../storage/directory.js';
import type { Doer, IdempotencyStore } from '../../storage/store.js';
import type { Log } from '../../telemetry/log.js';
import { invalidToken } from '../authenticate.js';
import { bearerToken } from '../authorization.js';
import { originOf, type TrustedProxies } from '../client-address.js';
import { type Ctx, type Env, header, type RoutedCtx } from '../context.js';
import type { ErrorLinks } from '../error-reference/links.js';
import { errorResponse, problem } from '../errors.js';
import type { RateLimit } from '../rate-limit.js';
import type { RequestLog } from '../request-log.js';
import { counted, type RequestCounting } from '../requests.js';
import { Caller, outOfReach } from './caller.js';
import { documentText } from './document.js';
import { etagOf, expectation } from './etag.js';
import { doOnce, type KeptAnswer, readKey, rememberedMs } from './idempotency.js';
import { checked, parseJson, readBytes, readQuery } from './input.js';
import { type Answer, type Call, changes, type Operation } from './operation.js';
import { operations } from './operations.js';

export interface ManagementOptions extends RequestCounting {
  readonly tokens: AccessTokens;
  readonly directory: Directory;
  readonly adminFor: (by: Doer) => Admin;
  readonly idempotency: IdempotencyStore;
  /** A hash under a key of the gateway's own. */
  readonly mac: (text: string) => Buffer;
  readonly trustedProxies: TrustedProxies;
  /** The external URL. */
  readonly issuer: () => string;
  readonly links: ErrorLinks;
  readonly rateLimit: RateLimit;
  readonly log: Log;
  readonly requests: RequestLog;
}

export const managementRoot = '/api/v2';

/**
 * The management API: an app of its own below `/api/v2`, so that its routes never stand beside those of a scrape. Each
 * request goes the same way: who, how often, with which scope, what, and only then the operation itself.
 */
export class Management {
  private readonly options: ManagementOptions;
  private readonly app = new Hono<Env>();

  constructor(options: ManagementOptions) {
    this.options = options;
    for (const each of operations) {
      const path = each.path.replaceAll(/\{(\w+)\}/g, ':$1');
      const operation_name = `${each.method.toUpperCase()} ${managementRoot}${each.path}`;
      this.app.on(each.method, `${managementRoot}${path}`, (c) =>
        counted(this.options, c, { api: 'MANAGEMENT', operation_name }, () => this.answer(c, each)),
      );
    }
    this.app.get(`${managementRoot}/openapi.json`, (c) => {
      const type = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' };
      return c.body(documentText(), 200, type);
    });
    this.app.notFound((c) => noRoute(c, options.links));
    this.app.onError((error, c) => {
      const { log, issuer, requests, links } = this.options;
      return errorResponse(error, {
        isOAuth: false,
        log,
        line: () => requests.line(c.env),
        issuer: issuer(),
        links,
      });
    });
  }

  handle(c: RoutedCtx): Response | Promise<Response> {
    return this.app.fetch(c.req.raw, c.env);
  }

  private async answer(c: RoutedCtx, described: Operation): Promise<Response> {
    const caller = await this.callerOf(header(c, 'authorization'));
    c.env.caller = caller;
    await this.takeTurn(caller);
    caller.requireScope(described.scope);
    const query = checked(described.query ?? noQuery, readQuery(c));
    const bytes = described.body === undefined ? Buffer.alloc(0) : await readBytes(c);
    const { body: taken } = described;
    const json = taken === undefined ? undefined : (parseJson(c, bytes) ?? (taken.optional ? {} : undefined));
    const request = {
      params: described.params === undefined ? {} : checked(described.params, c.req.param()),
      query,
      body: taken === undefined ? undefined : checked(taken.schema, json),
      caller,
    };
    const response = await this.perform(c, described, request, bytes).catch((error) => {
      if (error instanceof WeirError && error.code === 'not_found') throw outOfReach(error.facts.field);
      throw isFullOrBusy(error) ? takesNoWrites(error) : error;
    });
    if (changes(described)) await this.follow(c);
    return response;
  }

  /** So that the next request meets what was changed, on the metrics routes too. It is done, whether this succeeds or not. */
  private async follow(c: Ctx): Promise<void> {
    try {
      await this.options.directory.sync();
    } catch (error) {
      this.logging(c, 'what was changed shows a little later')(error);
    }
  }

  private logging(c: Ctx, sentence: string): (error: unknown) => void {
    const { log, requests } = this.options;
    return (error) => log.error({ ...requests.line(c.env), err: error }, sentence);
  }

  private async perform(
    c: Ctx,
    described: Operation,
    request: Pick<Call<unknown, unknown, unknown>, 'params' | 'query' | 'body' | 'caller'>,
    bytes: Buffer,
  ): Promise<Response> {
    const { adminFor, idempotency, mac, clock, trustedProxies, issuer } = this.options;
    const { clientId } = request.caller;
    const by: Doer = { actor: `client:${clientId}`, ip: originOf(c, trustedProxies).ip };
    const ifMatch = header(c, 'if-match');
    const call = (doer: Doer): Promise<Answer> =>
      described.handle({
        ...request,
        admin: adminFor(doer),
        url: issuer(),
        now: clock.now(),
        expecting: (represent) => expectation(ifMatch, represent),
      });
    const wantedKey = described.idempotent ? header(c, 'idempotency-key') : undefined;
    if (wantedKey === undefined) return respond(described, await call(by));
    const { method, url } = c.env.incoming;
    const once = {
      clientId,
      key: readKey(wantedKey),
      digest: mac(`idempotency ${method} ${url}\n${bytes.toString('base64')}`),
      endsAt: clock.now() + rememberedMs,
    };
    const work = async () => {
      const { body, location, repeated = body } = await call({ ...by, once });
      return { answer: { body, location }, kept: { body: repeated, location } };
    };
    const onNotKept = this.logging(c, 'the answer under an idempotency key was not kept');
    const done = await doOnce(idempotency, once, work, onNotKept);
    if ('first' in done) return respond(described, done.first);
    return respond(described, done.repeated, { 'idempotent-replayed': 'true' });
  }

  /** By an access token of ours only: what else opens the metrics routes does not open this. */
  private async callerOf(authorization: string | undefined): Promise<Caller> {
    const { tokens, directory } = this.options;
    const verified = await tokens.verify(bearerToken(authorization));
    const live = verified && (await directory.client(verified.clientId));
    const token = live && liveToken(verified, live);
    if (token === undefined) throw invalidToken();
    return new Caller(token);
  }

  /** How often a client may ask is a limit of its project; of an operator client, the configuration's. */
  private async takeTurn({ clientId, projectId }: Caller): Promise<void> {
    const { directory, rateLimit } = this.options;
    const project =
      projectId === null ? undefined : (directory.peekProject(projectId) ?? (await directory.project(projectId)));
    rateLimit.check(clientId, project?.limits ?? directory.limitsOutsideProjects);
  }
}

const noQuery = z.strictObject({});

function respond(
  { answer: { status }, tagged }: Operation,
  { body, location }: Partial<KeptAnswer>,
  more: Record<string, string> = {},
): Response {
  const headers: Record<string, string> = { 'cache-control': 'private, no-store', ...more };
  if (location !== undefined) headers.location = `${managementRoot}${location}`;
  if (status === 204) return new Response(null, { status, headers });
  if (tagged) headers.etag = etagOf(tagged === true ? body : tagged(body as object));
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { ...headers, 'content-type': 'application/json' },
  });
}

function noRoute(c: RoutedCtx, links: ErrorLinks): Response {
  const segments = (path: string): string[] => path.split('/');
  const asked = segments(c.req.path.slice(managementRoot.length));
  const isAsked = (path: string): boolean => {
    const own = segments(path);
    const fits = (segment: string, i: number): boolean =>
      segment.startsWith('{') ? asked[i] !== '' : segment === asked[i];
    return own.length === asked.length && own.every(fits);
  };
  const methods = operations.filter(({ path }) => isAsked(path)).map(({ method }) => method as string);
  if (c.req.path === `${managementRoot}/openapi.json`) methods.push('GET');
  if (methods.length === 0) return problem(links, 'no_such_path', 'There is nothing at this path.');
  const allow = [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].join(', ');
  return problem(links, 'method_not_allowed', `This path takes ${allow}.`, {}, { allow });
}

const isFullOrBusy = (error: unknown): boolean =>
  /^SQLITE_(BUSY|FULL|IOERR|READONLY)/.test(String((error as { code?: unknown } | undefined)?.code));

const takesNoWrites = (cause: unknown): WeirError =>
  new WeirError(
    'unavailable',
    'The store takes no writes at the moment; nothing was changed. Try again.',
    { retryAfterSeconds: 1 },
    cause,
  );
