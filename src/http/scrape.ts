import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { acceptsGzip, contentTypes, negotiateFormat, type PageFormat } from '../formats/negotiate.js';
import type { Page, Pages, PageTarget } from '../scrape/pages.js';
import { type Directory, type LiveProject, visibleTo } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import {
  type Access,
  type Authenticator,
  reachEndpoint,
  reachProject,
  requireScope,
  visibleEndpoint,
} from './authenticate.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';
import type { RateLimit } from './rate-limit.js';

export interface ScrapeOptions {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly pages: Pages;
  readonly clock: Clock;
  readonly metrics: GatewayMetrics;
  readonly rateLimit: RateLimit;
}

interface Wanted {
  readonly format: PageFormat;
  readonly gzip: boolean;
}

/**
 * `GET` and `HEAD` of `/api/v1/{project}/{metricsId}/metrics` and `/api/v1/{project}/metrics`. When memory holds all it
 * takes (token, client, project, page) the answer is written in the same turn, straight to Node's response: a
 * `Response` object would cost a sixth of the whole request.
 */
export class Scrape {
  private readonly options: ScrapeOptions;
  /** Scrapers send the same two headers all their lives. */
  private readonly negotiated = new LRUCache<string, Wanted>({ max: 1000 });

  constructor(options: ScrapeOptions) {
    this.options = options;
  }

  handle(c: Ctx, projectId: string, metricsId: string | undefined): Response | Promise<Response> {
    const { authenticator, directory, pages, metrics, rateLimit } = this.options;
    const { headers, url } = c.env.incoming;
    if (url!.includes('?')) refuseTokenInQuery(url!);
    const wanted = this.negotiate(headers.accept, headers['accept-encoding'] as string | undefined);
    const access = authenticator.peek(headers.authorization);
    if (access?.projectId === projectId && access.scopes.includes('read:metrics')) {
      const project = directory.peekProject(projectId);
      const target = project && targetOf(project, access, metricsId);
      const page = target && pages.peek(target, wanted.format);
      const body = wanted.gzip ? page?.gzipped : page?.identity;
      if (body !== undefined) {
        metrics.authorized();
        rateLimit.check(access.clientId, project!.limits);
        metrics.cacheHit();
        c.env.caller = access;
        return this.send(c, page!, body, wanted.gzip);
      }
    }
    return this.handleSlowly(c, projectId, metricsId, wanted);
  }

  private async handleSlowly(
    c: Ctx,
    projectId: string,
    metricsId: string | undefined,
    wanted: Wanted,
  ): Promise<Response> {
    const { pages, metrics, rateLimit } = this.options;
    const { target, access, project } = await this.authorize(c, projectId, metricsId).catch((error: unknown) => {
      metrics.unauthorized(statusOf(error));
      throw error;
    });
    metrics.authorized();
    rateLimit.check(access.clientId, project.limits);
    const cached = pages.peek(target, wanted.format);
    if (cached === undefined) metrics.cacheMiss();
    else metrics.cacheHit();
    const page = cached ?? (await pages.get(target, wanted.format));
    return this.send(c, page, wanted.gzip ? await page.gzip() : page.identity, wanted.gzip);
  }

  private async authorize(c: Ctx, projectId: string, metricsId: string | undefined) {
    const { authenticator, directory } = this.options;
    const access = await authenticator.authenticate(c);
    const project = await reachProject(access, projectId, directory);
    requireScope(access, 'read:metrics');
    const target =
      metricsId === undefined
        ? targetOf(project, access, undefined)!
        : endpointTarget(await reachEndpoint(access, project, metricsId, directory));
    return { target, access, project };
  }

  private send(c: Ctx, page: Page, body: Buffer, gzip: boolean): Response {
    const { clock } = this.options;
    const { incoming, outgoing } = c.env;
    const age = Math.max(0, Math.floor((clock.monotonic() - page.madeAt) / 1000));
    const headers: Record<string, string> = {
      'Content-Type': contentTypes[page.format],
      'Content-Length': String(body.length),
      Vary: 'Accept, Accept-Encoding, Authorization',
      'Cache-Control': 'private, no-store',
      Age: String(age),
      'X-Weir-Completeness': page.completeness,
    };
    if (gzip) headers['Content-Encoding'] = 'gzip';
    // Hono makes its own answer to HEAD out of the one to GET.
    if (incoming.method === 'HEAD') return new Response(null, { headers });
    outgoing.writeHead(200, headers);
    outgoing.end(body);
    return RESPONSE_ALREADY_SENT;
  }

  private negotiate(accept: string | undefined, acceptEncoding: string | undefined): Wanted {
    const key = `${accept ?? ''}\n${acceptEncoding ?? ''}`;
    let wanted = this.negotiated.get(key);
    if (wanted === undefined) {
      wanted = { format: negotiateFormat(accept), gzip: acceptsGzip(acceptEncoding) };
      this.negotiated.set(key, wanted);
    }
    return wanted;
  }
}

const targets = new WeakMap<object, PageTarget>();

/** The page the path means, for what this caller sees: kept beside the project it is of, so that no key is built twice. */
function targetOf(project: LiveProject, access: Access, metricsId: string | undefined): PageTarget | undefined {
  if (metricsId === undefined) {
    const visible = visibleTo(project, access.sight);
    return kept(visible, () => ({ key: `project ${project.project.id} ${visible.key}`, endpoints: visible.endpoints }));
  }
  const endpoint = visibleEndpoint(project, access, metricsId);
  return endpoint && endpointTarget(endpoint);
}

const endpointTarget = (endpoint: Awaited<ReturnType<typeof reachEndpoint>>): PageTarget =>
  kept(endpoint, () => ({ key: `endpoint ${endpoint.id}.${endpoint.version}`, endpoints: [endpoint] }));

function kept(owner: object, make: () => PageTarget): PageTarget {
  let target = targets.get(owner);
  if (target === undefined) {
    target = make();
    targets.set(owner, target);
  }
  return target;
}

/** RFC 9700 §4.3.2: a token in a URL ends up in logs. */
function refuseTokenInQuery(url: string): void {
  if (new URLSearchParams(url.slice(url.indexOf('?') + 1)).has('access_token')) {
    throw new WeirError('invalid', 'Tokens are not taken from the URL; send the Authorization header.', {
      field: 'access_token',
    });
  }
}
