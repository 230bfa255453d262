import { reasonAdvice } from '../../domain/access-advice.js';
import type { ProblemCode } from '../error-codes.js';
import { compareWithSnippet, type ErrorEntry } from './entry.js';

/** All other routes: `type` of RFC 9457. */
export const problemErrors: Readonly<Record<ProblemCode, ErrorEntry>> = {
  unauthenticated: {
    means: 'The request came without credentials.',
    seen: {
      Prometheus: 'server returned HTTP status 401 Unauthorized',
      vmagent: '401; expecting 200 … A bearer token is needed',
      Datadog: '401 Client Error: Unauthorized for url',
    },
    causes: [
      {
        cause:
          'The tool got no token and asked all the same, as vmagent does; its log says what the token URL answered.',
        cure: 'Mend what is said there. "weir doctor" asks for a token as the tool does, and says what is wrong.',
      },
      {
        cause: 'The configuration has no oauth2, or a proxy keeps the Authorization header.',
        cure: 'Configure oauth2 with client id and secret, and have the proxy pass the header on.',
      },
    ],
  },
  wrong_credentials: {
    means: 'Client id and secret came by HTTP Basic, and are not good here.',
    seen: {
      Prometheus: 'server returned HTTP status 401 Unauthorized',
      vmagent: '401; expecting 200 … may not use HTTP Basic here',
      Datadog: '401 Client Error: Unauthorized for url',
    },
    causes: [reasonAdvice.basic_not_allowed, reasonAdvice.wrong_credentials, reasonAdvice.disabled_client],
  },
  invalid_token: {
    means: 'The token is not, or no longer, good.',
    seen: {
      Prometheus: 'server returned HTTP status 401 Unauthorized',
      Datadog: '401 Client Error: Unauthorized for url',
    },
    causes: [
      reasonAdvice.expired_token,
      reasonAdvice.revoked_token,
      reasonAdvice.unknown_token,
      reasonAdvice.disabled_client,
    ],
  },
  insufficient_scope: {
    means: 'The token is good, but not for this.',
    seen: {
      Prometheus: 'server returned HTTP status 403 Forbidden',
      vmagent: '403; expecting 200 … This needs the scope read:metrics',
      Datadog: '403 Client Error: Forbidden for url',
    },
    causes: [
      reasonAdvice.insufficient_scope,
      {
        cause: 'The route is for clients of the operator, and the client belongs to a project.',
        cure: 'Write to the URL of your own endpoint, /api/v1/PROJECT/METRICS_ID/write or …/otlp/v1/metrics.',
      },
    ],
  },
  not_found: {
    means: 'What the path names is not there, or not for this client: the two look the same.',
    seen: {
      Prometheus: 'server returned HTTP status 404 Not Found',
      vmagent: '404; expecting 200 … There is no such metrics endpoint',
      Datadog: '404 Client Error: Not Found for url',
    },
    causes: [reasonAdvice.unknown_endpoint, reasonAdvice.other_project],
  },
  no_such_path: {
    means: 'The gateway has nothing at this path, whoever asks.',
    seen: {
      Prometheus: 'server returned HTTP status 404 Not Found',
      vmagent: '404; expecting 200 … There is nothing at this path.',
      Datadog: '404 Client Error: Not Found for url',
    },
    causes: [
      {
        cause: 'The path is made of names instead of ids, has a slash too many, or lacks /metrics at its end.',
        cure: 'Copy the path that "weir snippet" prints; "weir endpoint list" shows the ids.',
      },
      { cause: 'The token URL is wrong.', cure: 'It ends with /oauth/token.' },
    ],
  },
  method_not_allowed: {
    means: 'The path is there, but not for this method; the header Allow says for which.',
    causes: [
      {
        cause: 'A push was sent where pages are read, or a page was asked for where pushes go.',
        cure: 'Scrapes are GET; pushes are PUT or POST below …/metrics, POST to …/write and …/otlp/v1/metrics.',
      },
    ],
  },
  invalid: {
    means: 'The request is malformed, and nothing of it was stored. "field" or "line" says where.',
    causes: [
      { ...reasonAdvice.invalid_request, cure: compareWithSnippet },
      {
        cause: 'A pushed body breaks the rules of its format: a bad line, a series twice, a type that changed.',
        cure: 'Correct the line that the answer names; "weir check metrics < FILE" finds it before it is sent.',
      },
    ],
  },
  partly_refused: {
    means: 'Some series or samples of a remote write were refused; the rest is stored.',
    causes: [
      {
        cause:
          'They are too far ahead, over a limit or malformed, or name no endpoint or none that is there; the answer says how many and why the first.',
        cure: 'Do not send the request again. Mend the producer, or raise the limit that is named.',
      },
    ],
  },
  too_large: {
    means: 'The body is larger than its limit; nothing of it was stored. "limit" and "max" say which.',
    causes: [
      {
        cause: 'One push holds too much.',
        cure: 'Send smaller batches, or raise the limit: of the project, or of the endpoint where "limit_of" says so.',
      },
    ],
  },
  unsupported_media_type: {
    means: 'Content-Type or Content-Encoding is none that this path takes.',
    causes: [{ cause: 'The producer speaks another format than the path.', cure: 'Send what the answer names.' }],
  },
  limit_exceeded: {
    means:
      'The push is well formed, but over a limit; nothing of it was stored. "limit", "max" and "actual" say which.',
    causes: [
      {
        cause: 'A label with ever new values (ids, addresses, paths) makes ever new series.',
        cure: '"weir project cardinality ID" shows which; drop the label at the producer or with "weir endpoint set".',
      },
      {
        cause: 'There is more to measure than the limit allows.',
        cure: 'The operator raises it: "weir project set ID --limit NAME=VALUE".',
      },
      {
        cause: 'The limit is one of the endpoint: "limit_of" says so.',
        cure: 'Raise it with "weir endpoint set ID --project P --limit NAME=VALUE"; the one of the project holds as well.',
      },
    ],
  },
  rate_limited: {
    means: 'Too much came at once; Retry-After says when to try again.',
    seen: {
      Prometheus: 'oauth2: cannot fetch token: 429 Too Many Requests',
      vmagent: 'cannot get OAuth2 token: oauth2: cannot fetch token: 429 Too Many Requests',
      Datadog: '(temporarily_unavailable) Too many wrong secrets for this client from this address',
    },
    causes: [
      reasonAdvice.rate_limited,
      reasonAdvice.guessing,
      {
        cause: 'A producer sends more samples than samples_per_second allows on average.',
        cure: 'Send less often, or raise the limit of the project, or of the endpoint where "limit_of" says so.',
      },
      {
        cause: 'The client has revoked 1,000 tokens one by one that would not have ended yet.',
        cure: 'End all of its tokens at once with "weir client revoke-tokens".',
      },
    ],
  },
  unavailable: {
    means: 'The gateway cannot do this at the moment; of a push, nothing was stored.',
    causes: [
      reasonAdvice.unavailable,
      {
        cause: 'Bodies that came and are not read yet fill the memory for them, or the share of the project.',
        cure: 'Producers send it again after Retry-After. Where it happens often, send less at once, or raise web.body_memory.',
      },
    ],
  },
  internal: { means: 'The gateway failed; its operator has to look.', causes: [reasonAdvice.internal] },
  conflict: {
    means: 'The request contradicts what is there.',
    causes: [
      { cause: 'The id is taken.', cure: 'Choose another, or change what is there.' },
      {
        cause: 'The first request with this Idempotency-Key has no answer yet.',
        cure: 'Repeat it a little later.',
      },
      {
        cause: 'The state of the thing forbids it, as with a disabled stream or a client that has two secrets.',
        cure: 'Do first what the answer says.',
      },
    ],
  },
  precondition_failed: {
    means: 'The thing is not, or no longer, what If-Match names.',
    causes: [{ cause: 'Somebody changed it in between.', cure: 'Read it again, and send the ETag of what you read.' }],
  },
  key_reused: {
    means: 'The Idempotency-Key stands for another request.',
    causes: [{ cause: 'A key was used for two different requests.', cure: 'Take a new key for each.' }],
  },
};
