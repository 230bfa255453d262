import type { RandomBytes } from '../domain/ids.js';
import { printable } from '../domain/ids.js';
import type { Log } from '../telemetry/log.js';
import { clientAddress, type TrustedProxies } from './client-address.js';
import type { Env } from './context.js';

export interface RequestLogOptions {
  readonly log: Log;
  readonly random: RandomBytes;
  readonly trustedProxies: TrustedProxies;
}

/** What every log line about a request says of it: never the query, headers or body, which may hold secrets. */
export interface RequestLine {
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
  readonly address: string;
  /** Only when the caller has proved who it is. */
  readonly client_id?: string;
  readonly project_id?: string;
}

/** Ties log lines to requests. Nothing is worked out for a request of which nothing is logged. */
export class RequestLog {
  private readonly options: RequestLogOptions;
  /** Request ids of this process begin with it. */
  private readonly prefix: string;
  private count = 0;

  constructor(options: RequestLogOptions) {
    this.options = options;
    this.prefix = options.random(6).toString('base64url');
  }

  /** Whether requests are logged one by one; a reload may change it. */
  get isDetailed(): boolean {
    return this.options.log.isLevelEnabled('debug');
  }

  line(request: Env['Bindings']): RequestLine {
    const { incoming, caller } = request;
    const { method = '', url = '', socket, headers } = incoming;
    return {
      request_id: this.idOf(request),
      method,
      path: printable(url.split('?', 1)[0]!, longestPath),
      address: clientAddress(socket.remoteAddress, headers, this.options.trustedProxies),
      ...(caller === undefined ? {} : { client_id: caller.clientId }),
      ...(typeof caller?.projectId === 'string' ? { project_id: caller.projectId } : {}),
    };
  }

  answered(request: Env['Bindings'], status: number, milliseconds: number): void {
    const duration_ms = Math.round(milliseconds * 1000) / 1000;
    this.options.log.debug({ ...this.line(request), status, duration_ms }, 'request');
  }

  /** The one a trusted proxy gave it, or one of our own. */
  private idOf(request: Env['Bindings']): string {
    const { trustedProxies } = this.options;
    const { socket, headers } = request.incoming;
    const given = headers['x-request-id'];
    const peer = clientAddress(socket.remoteAddress, {}, trustedProxies);
    if (typeof given === 'string' && idForm.test(given) && trustedProxies.has(peer)) request.requestId ??= given;
    request.requestId ??= `${this.prefix}-${++this.count}`;
    return request.requestId;
  }
}

const idForm = /^[\w.:/+=-]{1,128}$/;
const longestPath = 200;
