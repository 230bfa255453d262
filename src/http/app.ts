import { Hono } from 'hono';
import { OAuthError } from '../auth/oauth-error.js';
import type { TokenService } from '../auth/token-service.js';
import type { Log } from '../telemetry/log.js';
import type { OperatorMetrics } from '../telemetry/operator-metrics.js';
import type { Env } from './context.js';
import { errorResponse, problem } from './errors.js';
import { handlePush, type PushOptions } from './push.js';
import type { Scrape } from './scrape.js';
import { postToken } from './token.js';

export interface PublicAppOptions {
  readonly tokenService: TokenService;
  readonly scrape: Scrape;
  readonly push: PushOptions;
  readonly metrics: OperatorMetrics;
  readonly log: Log;
}

/** The public listener's table of contents. */
export function publicApp({ tokenService, scrape, push, metrics, log }: PublicAppOptions): Hono<Env> {
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

  app.post('/oauth/token', (c) => postToken(c, tokenService, metrics));
  app.all('/oauth/token', () => {
    throw new OAuthError('invalid_request', 'The token endpoint takes POST only.', 405);
  });

  app.all(pushPaths[0], () => methodNotAllowed('GET, HEAD, PUT, POST, DELETE'));
  app.all(pushPaths[1], () => methodNotAllowed('PUT, POST, DELETE'));
  app.all('/api/v1/:project/metrics', () => methodNotAllowed('GET, HEAD'));
  app.notFound(() => problem(404, 'Not Found', 'There is nothing at this path.'));
  app.onError((error, c) => errorResponse(error, c.req.path.startsWith('/oauth/'), log));
  return app;
}

const methodNotAllowed = (allow: string): Response =>
  problem(405, 'Method Not Allowed', `This path takes ${allow}.`, {}, undefined, { allow });
