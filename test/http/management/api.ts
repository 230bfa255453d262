import type { TestGateway } from '../../support/gateway.js';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
}

export interface ApiRequest {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** `GET /projects` and the like, below `/api/v2`, as JSON there and back. */
export async function api(
  gateway: TestGateway,
  bearer: string,
  line: string,
  request: ApiRequest = {},
): Promise<ApiAnswer> {
  const [method, path] = line.split(' ') as [string, string];
  const { body, headers = {} } = request;
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await gateway.fetch(`/api/v2${path}`, {
    method,
    bearer,
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
