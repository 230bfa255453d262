import type { Origin } from '../auth/client-secrets.js';
import type { AccessEntry, AccessPlace } from '../domain/access.js';
import type { Page } from '../scrape/pages.js';
import { type AccessLog, accessKey } from '../telemetry/access-log.js';
import { originOf, type TrustedProxies } from './client-address.js';
import type { Ctx } from './context.js';

/** Whose request it was, as far as that is proved. */
export interface Whose {
  readonly clientId: string;
  readonly projectId: string | null;
}

export type About = Pick<AccessEntry, 'operation' | 'endpointId'>;
type Outcome = Pick<AccessEntry, 'status' | 'reason'> & Partial<Pick<AccessEntry, 'format' | 'bytes'>>;

export interface CallerNotesOptions {
  readonly accessLog: AccessLog;
  readonly trustedProxies: TrustedProxies;
}

/** Notes the pages served to one caller, whose headers and endpoint are nearly always those of the page before. */
export class CallerNotes {
  private readonly whose: Whose;
  private readonly options: CallerNotesOptions;
  private origin: Origin | undefined;
  // What the origin was worked out from.
  private remote: unknown;
  private forwardedFor: unknown;
  private forwarded: unknown;
  private agent: unknown;
  private metricsId: string | undefined;
  private place: AccessPlace | undefined;
  private key = '';

  constructor(whose: Whose, options: CallerNotesOptions) {
    this.whose = whose;
    this.options = options;
  }

  /** `now` as the wall clock says, `ticks` the monotonic one. */
  served(c: Ctx, metricsId: string | undefined, page: Page, bytes: number, now: number, ticks: number): void {
    if (this.place === undefined || metricsId !== this.metricsId) this.turnTo(metricsId);
    const { ip, agent } = this.originOf(c);
    const { begun = ticks } = c.env;
    this.options.accessLog.noteAs(this.key, this.place!, {
      at: now,
      operation: 'scrape',
      endpointId: metricsId ?? null,
      status: 200,
      reason: page.completeness === 'complete' ? null : 'incomplete_page',
      format: page.format,
      bytes,
      durationMs: rounded(ticks - begun),
      agent: agent === '' ? null : agent,
      address: ip,
    });
  }

  private turnTo(metricsId: string | undefined): void {
    const { clientId, projectId } = this.whose;
    this.metricsId = metricsId;
    this.place = {
      projectId: projectId!,
      clientId,
      ring: metricsId === undefined ? 'project' : `endpoint:${metricsId}`,
    };
    this.key = accessKey(this.place);
  }

  private originOf(c: Ctx): Origin {
    const { headers, socket } = c.env.incoming;
    if (
      this.origin === undefined ||
      this.remote !== socket.remoteAddress ||
      this.forwardedFor !== headers['x-forwarded-for'] ||
      this.forwarded !== headers.forwarded ||
      this.agent !== headers['user-agent']
    ) {
      this.remote = socket.remoteAddress;
      this.forwardedFor = headers['x-forwarded-for'];
      this.forwarded = headers.forwarded;
      this.agent = headers['user-agent'];
      this.origin = originOf(c, this.options.trustedProxies);
    }
    return this.origin;
  }
}

/** `now` as the wall clock says, `ticks` the monotonic one. */
export function entryOf(
  c: Ctx,
  origin: Origin,
  about: About,
  outcome: Outcome,
  now: number,
  ticks: number,
): AccessEntry {
  const { begun = ticks } = c.env;
  return {
    at: now,
    operation: about.operation,
    endpointId: about.endpointId,
    status: outcome.status,
    reason: outcome.reason,
    format: outcome.format ?? null,
    bytes: outcome.bytes ?? null,
    durationMs: rounded(ticks - begun),
    agent: origin.agent === '' ? null : origin.agent,
    address: origin.ip,
  };
}

/** To microseconds. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
