import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import { acceptsGzip, contentTypes, negotiateFormat, type PageFormat } from '../formats/negotiate.js';
import type { Page, Pages, PageTarget } from '../scrape/pages.js';
import { endpointTarget, projectTarget } from '../scrape/targets.js';
import type { Directory, LiveProject } from '../storage/directory.js';
import type { RequestCounter } from '../telemetry/api-requests.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import type { UsageMeter } from '../telemetry/usage.js';
import type { AccessNotes } from './access-notes.js';
import {
  type Access,
  type Authenticator,
  reachEndpoint,
  reachProject,
  requireScope,
  visibleEndpoint,
} from './authenticate.js';
import type { CallerNotes } from './caller-notes.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';
import type { RateLimit } from './rate-limit.js';
import { counted, type RequestCounting } from './requests.js';
import { readQuery, selectionOf } from './selections.js';

export interface ScrapeOptions extends RequestCounting {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly pages: Pages;
  readonly metrics: GatewayMetrics;
  readonly rateLimit: RateLimit;
  readonly accessNotes: AccessNotes;
}

/** What a served page is noted in; kept beside what was found out about the caller, to look nothing up by name. */
interface Marks {
  /** Of the country the caller was in last. */
  counters: (RequestCounter | undefined)[];
  country: string | undefined;
  readonly usage: UsageMeter;
  readonly notes: CallerNotes;
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
  private readonly negotiated = new LRUCache<string, Wanted>(atMost(1000));

  private readonly marks = new WeakMap<Access, Marks>();

  constructor(options: ScrapeOptions) {
    this.options = options;
  }

  handle(c: Ctx, projectId: string, metricsId: string | undefined): Response | Promise<Response> {
    const { authenticator, directory, pages, metrics, rateLimit } = this.options;
    const { headers, url } = c.env.incoming;
    const selectors = url!.includes('?') ? readQuery(url!) : undefined;
    const wanted = this.negotiate(headers.accept, headers['accept-encoding'] as string | undefined);
    const access = selectors === undefined ? authenticator.peek(headers.authorization) : undefined;
    if (access?.projectId === projectId && access.scopes.includes('read:metrics')) {
      const project = directory.peekProject(projectId);
      const target = project && targetOf(project, access, metricsId);
      const page = target && pages.peek(target, wanted.format);
      const body = wanted.gzip ? page?.gzipped : page?.identity;
      if (body !== undefined) {
        metrics.authorized();
        c.env.caller = access;
        try {
          rateLimit.check(access.clientId, project!.limits);
        } catch (error) {
          return this.counted(c, projectId, metricsId, () => Promise.reject(error));
        }
        metrics.cacheHit();
        const marks = this.marksOf(access);
        this.countHit(c, access, marks, metricsId);
        return this.send(c, marks, metricsId, page!, body, wanted.gzip);
      }
    }
    return this.counted(c, projectId, metricsId, () => this.handleSlowly(c, projectId, metricsId, wanted, selectors));
  }

  private async counted(
    c: Ctx,
    projectId: string,
    metricsId: string | undefined,
    work: () => Promise<Response>,
  ): Promise<Response> {
    const operation_name = operationOf(c.env.incoming.method!, metricsId);
    try {
      return await counted(this.options, c, { api: 'METRICS', operation_name }, work);
    } catch (error) {
      this.options.accessNotes.scrapeRefused(c, { projectId, metricsId }, error);
      throw error;
    }
  }

  private async handleSlowly(
    c: Ctx,
    projectId: string,
    metricsId: string | undefined,
    wanted: Wanted,
    selectors: readonly string[] | undefined,
  ): Promise<Response> {
    const { pages, metrics, rateLimit } = this.options;
    const { target, access, project } = await this.authorize(c, projectId, metricsId).catch((error: unknown) => {
      metrics.unauthorized(statusOf(error));
      throw error;
    });
    metrics.authorized();
    rateLimit.check(access.clientId, project.limits);
    const { format } = wanted;
    const selection = selectors === undefined ? undefined : selectionOf(selectors);
    const cached = selection === undefined ? pages.peek(target, format) : pages.peekSelected(target, format, selection);
    if (cached === undefined) metrics.cacheMiss();
    else metrics.cacheHit();
    const fresh = () =>
      selection === undefined ? pages.get(target, format) : pages.getSelected(target, format, selection);
    const page = cached ?? (await fresh());
    const body = wanted.gzip ? await page.gzip() : page.identity;
    return this.send(c, this.marksOf(access), metricsId, page, body, wanted.gzip);
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

  /** As `counted`, without building what names the counter. */
  private countHit(c: Ctx, access: Access, marks: Marks, metricsId: string | undefined): void {
    const { counted: requests, clock, countries } = this.options;
    const method = c.env.incoming.method!;
    if (countries.areKnown) this.noteCountry(marks, countries.of(c));
    const { counters } = marks;
    const kind = (method === 'HEAD' ? 2 : 0) + (metricsId === undefined ? 1 : 0);
    let counter = counters[kind];
    if (counter === undefined) {
      counter = requests.counter(access.projectId!, {
        api: 'METRICS',
        operation_name: operationOf(method, metricsId),
        operation_result: 'SUCCESS',
        ...(marks.country === undefined ? {} : { country_code: marks.country }),
        client_id: access.clientId,
      });
      counters[kind] = counter;
    }
    counter.count(clock.now());
  }

  private noteCountry(marks: Marks, country: string | undefined): void {
    if (country === marks.country) return;
    marks.country = country;
    marks.counters = [];
  }

  private marksOf(access: Access): Marks {
    let marks = this.marks.get(access);
    if (marks === undefined) {
      const { usage, accessNotes } = this.options;
      marks = { counters: [], country: undefined, usage: usage.of(access.projectId!), notes: accessNotes.of(access) };
      this.marks.set(access, marks);
    }
    return marks;
  }

  private send(
    c: Ctx,
    { usage, notes }: Marks,
    metricsId: string | undefined,
    page: Page,
    body: Buffer,
    gzip: boolean,
  ): Response {
    const { clock } = this.options;
    const { incoming, outgoing } = c.env;
    const [now, ticks] = [clock.now(), clock.monotonic()];
    const isHead = incoming.method === 'HEAD';
    const bytes = isHead ? 0 : body.length;
    usage.scrape(bytes, now);
    notes.served(c, metricsId, page, bytes, now, ticks);
    const age = Math.max(0, Math.floor((ticks - page.madeAt) / 1000));
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
    if (isHead) return new Response(null, { headers });
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

const operationOf = (method: string, metricsId: string | undefined): string =>
  `${method} /api/v1/{project}/${metricsId === undefined ? '' : '{metricsId}/'}metrics`;

/** The page the path means, for what this caller sees. */
function targetOf(project: LiveProject, access: Access, metricsId: string | undefined): PageTarget | undefined {
  if (metricsId === undefined) return projectTarget(project, access.sight);
  const endpoint = visibleEndpoint(project, access, metricsId);
  return endpoint && endpointTarget(endpoint);
}
