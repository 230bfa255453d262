import type { IncomingMessage } from 'node:http';
import type { Soon } from '../domain/soon.js';
import type { Ctx } from './context.js';
import { type OAuthOptions, postToken } from './oauth.js';
import type { Scrape } from './scrape.js';

/** Never fails: errors are answers, too. */
export type Direct = (c: Ctx) => Soon<Response>;

/** Others may be malformed, which Hono's bridge finds out. */
const plainHost = /^[a-z\d._-]+(?::\d{1,4}|:[1-5]\d{4})?$/i;

/** Names as nearly all are spelled; those with escapes, like every query, are Hono's to read. */
const pagePath = /^\/api\/v1\/(\w[\w.~-]*)(?:\/(\w[\w.~-]*))?\/metrics$/;

/**
 * The pages and the token endpoint in the spelling that every scraper uses, without Hono, whose request, routing and promises are
 * work that these two do not need. All else is Hono's, these two in other spellings included.
 */
export function directRoutes(
  oauth: OAuthOptions,
  scrape: Scrape,
  refusal: (error: unknown, c: Ctx, path: string) => Response,
): (incoming: IncomingMessage) => Direct | undefined {
  const handlerOf = ({ method, url = '', headers: { host = '' } }: IncomingMessage): Direct | undefined => {
    if (!plainHost.test(host)) return undefined;
    if (method === 'GET') {
      const page = pagePath.exec(url);
      if (page !== null) return (c) => scrape.handle(c, page[1]!, page[2]);
    }
    return method === 'POST' && url === '/oauth/token' ? (c) => postToken(c, oauth) : undefined;
  };
  return (incoming) => {
    const handle = handlerOf(incoming);
    if (handle === undefined) return undefined;
    return (c) => {
      const refused = (error: unknown): Response => refusal(error, c, incoming.url!);
      try {
        const response = handle(c);
        return response instanceof Promise ? response.catch(refused) : response;
      } catch (error) {
        return refused(error);
      }
    };
  };
}
