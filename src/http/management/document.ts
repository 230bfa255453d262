import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { managementScopes } from '../../domain/scopes.js';
import { answers, type ProblemCode } from '../error-codes.js';
import { errorPagePath } from '../error-reference/links.js';
import { changes, hasPathIds, type Operation } from './operation.js';
import { operations } from './operations.js';

const problem = z
  .object({
    type: z
      .url()
      .openapi({ description: 'Where the error is explained; programs may compare what stands behind the #.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'A sentence that says what to do.' }),
    field: z.string().optional().openapi({ description: 'The field, parameter or header that is wrong.' }),
  })
  .openapi('Problem', { description: 'RFC 9457.' });

interface Refusal {
  readonly code: ProblemCode;
  readonly description: string;
  readonly detail: string;
  readonly field?: string;
  readonly header?: string;
}

/** Every refusal there is; which of them an operation has follows from what it takes. */
const refusals = {
  400: {
    code: 'invalid',
    description: 'A field, parameter or header is malformed, unknown or missing; the answer names it.',
    detail: 'There is no field "colour" here.',
    field: 'colour',
  },
  401: {
    code: 'invalid_token',
    description: 'No token, or one that is malformed, expired or revoked.',
    detail: 'The token is malformed, expired or revoked, or its client is disabled; get a new one.',
    header: 'WWW-Authenticate',
  },
  403: {
    code: 'insufficient_scope',
    description: 'The token lacks the scope.',
    detail: 'The token needs the scope read:projects; it has: read:metrics.',
    header: 'WWW-Authenticate',
  },
  404: {
    code: 'not_found',
    description: 'What the ids name is not there or is not yours: the two look the same.',
    detail: 'There is nothing of that id, or this token does not reach it.',
  },
  409: {
    code: 'conflict',
    description: 'It contradicts what is there, or the first request with this Idempotency-Key has no answer yet.',
    detail: 'There is a project "acme" already; choose another id.',
    field: 'id',
  },
  412: {
    code: 'precondition_failed',
    description: 'It is not, or no longer, what If-Match names.',
    detail: 'It has changed since; read it again, and send the ETag of what you read.',
    field: 'If-Match',
  },
  413: {
    code: 'too_large',
    description: 'The body is larger than 128 KiB.',
    detail: 'The body has 200000 bytes; 131072 are allowed.',
  },
  415: {
    code: 'unsupported_media_type',
    description: 'The body is not application/json.',
    detail: 'The Content-Type must be application/json.',
    field: 'Content-Type',
  },
  422: {
    code: 'key_reused',
    description: 'The Idempotency-Key stands for another request.',
    detail: 'This Idempotency-Key stands for another request; take a new one.',
    field: 'Idempotency-Key',
  },
  429: {
    code: 'rate_limited',
    description: 'More requests in a minute than a client may make.',
    detail:
      'The client uses the management API too often; larger pages need fewer requests: api_requests_per_minute = 600. Try again in 1 s.',
    header: 'Retry-After',
  },
  503: {
    code: 'unavailable',
    description: 'The store takes no writes at the moment; nothing was changed.',
    detail: 'The store takes no writes at the moment; nothing was changed. Try again.',
    header: 'Retry-After',
  },
} as const satisfies Record<number, Refusal>;

const titleOf = (status: RefusalStatus): string => answers[refusals[status].code].title;

/** What the document calls it: `NotFound`. */
const nameOf = (status: RefusalStatus): string => titleOf(status).replaceAll(' ', '');

type RefusalStatus = keyof typeof refusals;

export function refusalsOf(described: Operation): RefusalStatus[] {
  const { body, conditional, idempotent, mayBeAbsent = hasPathIds(described), mayConflict } = described;
  const has: Record<RefusalStatus, boolean> = {
    400: true,
    401: true,
    403: true,
    404: mayBeAbsent,
    409: mayConflict === true || idempotent === true,
    412: conditional === true,
    413: body !== undefined,
    415: body !== undefined,
    422: idempotent === true,
    429: true,
    503: changes(described),
  };
  return (Object.keys(has).map(Number) as RefusalStatus[]).filter((status) => has[status]);
}

const headerNamed = (description: string) => ({ description, schema: { type: 'string' as const } });

function refusalResponse(status: RefusalStatus) {
  const { code, description, detail, field, header }: Refusal = refusals[status];
  const type = `https://metrics.example.com${errorPagePath}#${code}`;
  const example = { type, title: titleOf(status), status, detail, ...(field === undefined ? {} : { field }) };
  return {
    description,
    ...(header === undefined ? {} : { headers: { [header]: headerNamed('See RFC 9110.') } }),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, example } },
  };
}

function answerResponse({ answer, tagged, idempotent }: Operation) {
  const { status, description, schema, example } = answer;
  const headers = {
    ...(tagged ? { ETag: headerNamed('For If-Match.') } : {}),
    ...(status === 201 ? { Location: headerNamed('Where it is, if it has a place of its own.') } : {}),
    ...(idempotent ? { 'Idempotent-Replayed': headerNamed('"true" on the answer to a repeated request.') } : {}),
  };
  return {
    description,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(schema === undefined ? {} : { content: { 'application/json': { schema, example } } }),
  };
}

function headersOf({ conditional, idempotent }: Operation) {
  const fields = {
    ...(conditional
      ? { 'if-match': z.string().optional().openapi({ description: 'The ETag of what is to be changed.' }) }
      : {}),
    ...(idempotent
      ? {
          'idempotency-key': z.string().min(1).max(255).optional().openapi({
            description: 'For 24 hours, the same request with the same key is answered alike and does nothing again.',
          }),
        }
      : {}),
  };
  return Object.keys(fields).length === 0 ? {} : { headers: z.object(fields) };
}

function routeOf(described: Operation) {
  const { id, method, path, tag, summary, description, scope, params, query, body, answer } = described;
  return createRoute({
    operationId: id,
    method: method.toLowerCase() as 'get',
    path: `/api/v2${path}`,
    tags: [tag],
    summary,
    description,
    security: [{ oauth2: [scope] }],
    request: {
      ...(params === undefined ? {} : { params: params as never }),
      ...(query === undefined ? {} : { query: query as never }),
      ...headersOf(described),
      ...(body === undefined
        ? {}
        : {
            body: {
              required: body.optional !== true,
              content: { 'application/json': { schema: body.schema, example: body.example } },
            },
          }),
    },
    responses: {
      [answer.status]: answerResponse(described),
      ...Object.fromEntries(
        refusalsOf(described).map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` }]),
      ),
    },
  });
}

/** The document, OpenAPI 3.1. It holds nothing secret and is the same for everybody. */
export function openApiDocument() {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono();
  openAPIRegistry.registerComponent('securitySchemes', 'oauth2', {
    type: 'oauth2',
    description: 'Tokens of operator clients reach every project, those of a project its own.',
    flows: {
      clientCredentials: {
        tokenUrl: '/oauth/token',
        scopes: Object.fromEntries(managementScopes.map((scope) => [scope, scope.replace(/[:_]/g, ' ')])),
      },
    },
  });
  openAPIRegistry.register('Problem', problem);
  for (const status of Object.keys(refusals).map(Number) as RefusalStatus[]) {
    openAPIRegistry.registerComponent('responses', nameOf(status), refusalResponse(status));
  }
  for (const each of operations) openAPIRegistry.registerPath(routeOf(each));
  openAPIRegistry.registerPath(
    createRoute({
      operationId: 'getOpenApiDocument',
      method: 'get',
      path: '/api/v2/openapi.json',
      tags: ['Document'],
      summary: 'This document',
      description: 'For everybody: it holds nothing secret.',
      security: [],
      responses: {
        200: { description: 'The document.', content: { 'application/json': { schema: z.looseObject({}) } } },
      },
    }),
  );
  return getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Weir management API',
      version: '2.0',
      description:
        'Projects, endpoints, clients, metric streams, keys, bans and the audit log of a Weir gateway. See docs/api.md.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
  });
}

let text: string | undefined;
export const documentText = (): string => {
  text ??= `${JSON.stringify(openApiDocument(), null, 2)}\n`;
  return text;
};
