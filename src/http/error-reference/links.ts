import type { OAuthError } from '../../auth/oauth-error.js';
import type { ErrorTopic } from './entries.js';

export const errorPagePath = '/docs/errors';

/** Where people read what an error means; programs may compare it, too (`type` of RFC 9457). An absolute URL. */
export type ErrorLinks = (topic: ErrorTopic) => string;

/** To the gateway's own page, or the operator's, who has entries under the same anchors. */
export const errorLinks =
  (issuer: () => string, docsUrl: string | undefined): ErrorLinks =>
  (topic) =>
    `${docsUrl ?? `${issuer()}${errorPagePath}`}#${topic}`;

/** OAuth has no code of its own for a client that comes too often. Nothing here may depend on who the client is. */
export const topicOf = ({ code, status }: OAuthError): ErrorTopic => (status === 429 ? 'rate_limited' : code);
