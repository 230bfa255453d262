import { Hono } from 'hono';
import { OAuthError } from '../auth/oauth-error.js';
import type { Log } from '../telemetry/log.js';
import type { Env } from './context.js';
import { errorResponse, problem } from './errors.js';
import {
  getJwks,
  getMetadata,
  getResourceMetadata,
  type OAuthOptions,
  postIntrospect,
  postRevoke,
  postToken,
} from './oauth.js';
import { handlePush, type PushOptions } from './push.js';
import type { Scrape } from './scrape.js';

export interface PublicAppOptions {
  readonly oauth: OAuthOptions;
  readonly scrape: Scrape;
  readonly push: PushOptions;
  readonly log: Log;
}

/** The public listener's table of contents. */
export function publicApp({ oauth, scrape, push, log }: PublicAppOptions): Hono<Env> {
  const app = new Hono<Env>();

  // First, and without middleware: the one path that must cost next to nothing. Hono answers HEAD by the GET routes.
  app.get('/api/v1/:project/:metricsId/metrics', (c) =>
    scrape.handle(c, c.req.param('project'), c.req.param('metricsId')),
  );
  app.get('/api/v1/:project/metrics', (c) => scrape.handle(c, c.req.param('project'), undefined));

  const pushPaths = ['/api/v1/:project/:metricsId/metrics', '/api/v1/:project/:metricsId/metrics/*'] as const;
  for (const path of pushPaths) {
    app.on(['PUT', 'POST', 'DELETE'], path, (c) =>
      handlePush(c, c.req.param('project'), c.req.param('metricsId'), push),
    );
  }

  const post = { '/oauth/token': postToken, '/oauth/introspect': postIntrospect, '/oauth/revoke': postRevoke };
  for (const [path, handle] of Object.entries(post)) {
    app.post(path, (c) => handle(c, oauth));
    app.all(path, () => {
      throw new OAuthError('invalid_request', 'This endpoint takes POST only.', 405);
    });
  }
  const get = {
    '/.well-known/oauth-authorization-server': getMetadata,
    '/.well-known/jwks.json': getJwks,
    '/.well-known/oauth-protected-resource': getResourceMetadata,
  };
  for (const [path, handle] of Object.entries(get)) {
    app.get(path, () => handle(oauth));
    app.all(path, () => methodNotAllowed('GET, HEAD'));
  }

  app.all(pushPaths[0], () => methodNotAllowed('GET, HEAD, PUT, POST, DELETE'));
  app.all(pushPaths[1], () => methodNotAllowed('PUT, POST, DELETE'));
  app.all('/api/v1/:project/metrics', () => methodNotAllowed('GET, HEAD'));
  app.notFound(() => problem(404, 'Not Found', 'There is nothing at this path.'));
  app.onError((error, c) =>
    errorResponse(error, { isOAuth: c.req.path.startsWith('/oauth/'), log, issuer: oauth.issuer() }),
  );
  return app;
}

const methodNotAllowed = (allow: string): Response =>
  problem(405, 'Method Not Allowed', `This path takes ${allow}.`, {}, { allow });
