import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { PatternRouter } from 'hono/router/pattern-router';
import { OAuthError } from '../auth/oauth-error.js';
import type { Log } from '../telemetry/log.js';
import type { Ctx, Env } from './context.js';
import { type Direct, directRoutes } from './direct.js';
import { type DiscoveryOptions, handleDescriptors, handleDiscovery } from './discovery.js';
import { type ErrorLinks, errorPagePath } from './error-reference/links.js';
import { getErrorReference } from './error-reference/page.js';
import { errorResponse, problem } from './errors.js';
import type { Management } from './management/management.js';
import {
  getJwks,
  getMetadata,
  getResourceMetadata,
  type OAuthOptions,
  postIntrospect,
  postRevoke,
  postToken,
} from './oauth.js';
import { asOtlpStatus, handleOtlp, handleOtlpForAll, type OtlpOptions } from './otlp.js';
import { handlePush, type PushOptions } from './push.js';
import { handleRemoteWrite, handleWriteForAll, type RemoteWriteOptions } from './remote-write.js';
import type { RequestLog } from './request-log.js';
import type { Scrape } from './scrape.js';
import { getSnippet, getSnippets, type SnippetsOptions } from './snippets.js';

export interface PublicAppOptions {
  readonly oauth: OAuthOptions;
  readonly scrape: Scrape;
  readonly discovery: DiscoveryOptions;
  readonly snippets: SnippetsOptions;
  readonly push: PushOptions;
  readonly remoteWrite: RemoteWriteOptions;
  readonly otlp: OtlpOptions;
  readonly management: Management;
  readonly links: ErrorLinks;
  readonly log: Log;
  readonly requests: RequestLog;
}

/** What answers on the public listener. */
export interface PublicApp {
  readonly hono: Hono<Env>;
  /** Who answers without Hono, if anybody does. */
  readonly direct: (incoming: IncomingMessage) => Direct | undefined;
}

/** The public listener's table of contents. */
export function publicApp({
  oauth,
  scrape,
  discovery,
  snippets,
  push,
  remoteWrite,
  otlp,
  management,
  links,
  log,
  requests,
}: PublicAppOptions): PublicApp {
  // Hono's own choice would be its trie, which takes 2 µs to find a page.
  const app = new Hono<Env>({ router: new PatternRouter() });

  // In the spelling of nearly all they come by way of `directRoutes`. Hono answers HEAD by the GET routes.
  app.get('/api/v1/:project/:metricsId/metrics', (c) =>
    scrape.handle(c, c.req.param('project'), c.req.param('metricsId')),
  );
  app.get('/api/v1/:project/metrics', (c) => scrape.handle(c, c.req.param('project'), undefined));

  app.get('/api/v1/:project/sd', (c) => handleDiscovery(c, c.req.param('project'), discovery));
  app.get('/api/v1/:project/descriptors', (c) => handleDescriptors(c, c.req.param('project'), discovery));
  app.get('/api/v1/:project/snippets', (c) => getSnippets(c, c.req.param('project'), snippets));
  app.get('/api/v1/:project/snippets/:tool', (c) =>
    getSnippet(c, c.req.param('project'), c.req.param('tool'), snippets),
  );

  // The wildcard stands for nothing, too: the group without labels.
  app.on(['PUT', 'POST', 'DELETE'], '/api/v1/:project/:metricsId/metrics/*', (c) =>
    handlePush(c, c.req.param('project'), c.req.param('metricsId'), push),
  );

  app.post('/api/v1/:project/:metricsId/write', (c) =>
    handleRemoteWrite(c, c.req.param('project'), c.req.param('metricsId'), remoteWrite),
  );

  app.post('/api/v1/:project/:metricsId/otlp/v1/metrics', (c) =>
    handleOtlp(c, c.req.param('project'), c.req.param('metricsId'), otlp),
  );

  app.post('/api/v1/write', (c) => handleWriteForAll(c, remoteWrite));
  app.post('/otlp/v1/metrics', (c) => handleOtlpForAll(c, otlp));

  app.post('/oauth/token', (c) => postToken(c, oauth));
  app.post('/oauth/introspect', (c) => postIntrospect(c, oauth));
  app.post('/oauth/revoke', (c) => postRevoke(c, oauth));
  app.get('/.well-known/oauth-authorization-server', () => getMetadata(oauth));
  app.get('/.well-known/jwks.json', () => getJwks(oauth));
  app.get('/.well-known/oauth-protected-resource', () => getResourceMetadata(oauth));

  app.get(errorPagePath, () => getErrorReference());

  // An app of its own behind one route: two routes that match one request would make Hono compose them.
  app.all('/api/v2/*', (c) => management.handle(c));

  app.notFound((c) => {
    const allow = allowedMethods.find(([path]) => path.test(c.req.path))?.[1];
    if (allow === undefined) return problem(links, 'no_such_path', 'There is nothing at this path.');
    if (allow === 'POST' && c.req.path.startsWith('/oauth/'))
      throw new OAuthError('invalid_request', 'This endpoint takes POST only.', 405);
    return problem(links, 'method_not_allowed', `This path takes ${allow}.`, {}, { allow });
  });
  const refusal = (error: unknown, { env }: Ctx, path: string): Response =>
    errorResponse(error, {
      isOAuth: path.startsWith('/oauth/'),
      log,
      line: () => requests.line(env),
      issuer: oauth.issuer(),
      links,
    });
  app.onError((error, c) => {
    const answer = refusal(error, c, c.req.path);
    return otlpPath.test(c.req.path) ? asOtlpStatus(c, answer) : answer;
  });

  return { hono: app, direct: directRoutes(oauth, scrape, refusal) };
}

const otlpPath = /^(\/api\/v1\/[^/]+\/[^/]+)?\/otlp\/v1\/metrics$/;

/**
 * What each path takes, for who asks otherwise. Not by routes for every method: where two routes match a request, Hono
 * composes them, which costs each scrape a tenth.
 */
const allowedMethods: readonly (readonly [path: RegExp, allow: string])[] = [
  [/^\/oauth\/(token|introspect|revoke)$/, 'POST'],
  [/^\/docs\/errors$/, 'GET, HEAD'],
  [/^\/\.well-known\/(oauth-authorization-server|jwks\.json|oauth-protected-resource)$/, 'GET, HEAD'],
  [/^\/api\/v1\/[^/]+\/(metrics|sd|descriptors)$/, 'GET, HEAD'],
  [/^\/api\/v1\/[^/]+\/snippets(\/[^/]+)?$/, 'GET, HEAD'],
  [/^\/api\/v1\/[^/]+\/[^/]+\/metrics$/, 'GET, HEAD, PUT, POST, DELETE'],
  [/^\/api\/v1(\/[^/]+\/[^/]+)?\/write$/, 'POST'],
  [otlpPath, 'POST'],
  [/^\/api\/v1\/[^/]+\/[^/]+\/metrics\//, 'PUT, POST, DELETE'],
];
