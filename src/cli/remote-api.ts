import { OperatorError } from '../domain/errors.js';
import { fetchToken, type TokenWish } from './access-token.js';
import { parseObject, send, withLink } from './http.js';

export interface RemoteOptions extends TokenWish {
  readonly url: string;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

/** The management API of a running server, with a token that is fetched once. Throws `OperatorError` with its sentence. */
export class RemoteApi {
  private readonly base: string;
  private readonly options: RemoteOptions;
  private token: Promise<string> | undefined;

  constructor(options: RemoteOptions) {
    this.base = checkedUrl(options.url);
    this.options = options;
  }

  /** The URL clients know the server by. */
  async externalUrl(): Promise<string> {
    const target = new URL(`${this.base}/.well-known/oauth-authorization-server`);
    const { status, text } = await send(target, { method: 'GET', caFile: this.options.caFile });
    const { issuer } = parseObject(text);
    if (status !== 200 || typeof issuer !== 'string') throw new OperatorError(`There is no Weir at ${this.base}.`);
    return issuer;
  }

  async ask<T>(method: string, path: string, { query = {}, body }: { query?: Query; body?: object } = {}): Promise<T> {
    this.token ??= fetchToken(this.base, this.options).then(({ access_token }) => access_token);
    const target = new URL(`${this.base}/api/v2${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const { status, text } = await send(target, {
      method,
      headers: {
        authorization: `Bearer ${await this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      caFile: this.options.caFile,
    });
    if (status < 300) return parseObject(text) as T;
    const { detail, type } = parseObject(text);
    if (typeof detail !== 'string') throw new OperatorError(`${target.origin} answered with status ${status}.`);
    throw new OperatorError(withLink(detail, type));
  }

  /** The list, page by page, until it ends or there are as many as wanted. */
  async all<T>(path: string, noun: string, query: Query = {}, most = Number.POSITIVE_INFINITY): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    do {
      const limit = Math.min(200, most - found.length);
      const page: Record<string, unknown> = await this.ask('GET', path, { query: { ...query, limit, cursor } });
      found.push(...(page[noun] as T[]));
      cursor = (page.next as string | null) ?? undefined;
    } while (cursor !== undefined && found.length < most);
    return found;
  }
}

/** A secret and a token go there: over https, or to this very machine. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new OperatorError(`"${text}" is not a URL; write it like https://weir.example.`);
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)) return text.replace(/\/+$/, '');
  throw new OperatorError(`${text} would send a secret in the clear; use https, or http on this machine.`);
}

export const segment = encodeURIComponent;
