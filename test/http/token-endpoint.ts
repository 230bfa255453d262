import { expect } from 'vitest';
import { basic, type Credentials, type TestGateway } from '../support/gateway.js';
import { type Answer, send } from './wire.js';

export const form = 'application/x-www-form-urlencoded';
export const grant = 'grant_type=client_credentials';
export const byBasic = ({ clientId, clientSecret }: Credentials): string => basic(clientId, clientSecret);
export const inBody = ({ clientId, clientSecret }: Credentials): string =>
  `client_id=${clientId}&client_secret=${clientSecret}`;

export interface Asked {
  readonly authorization?: string;
  /** Content type; none is sent when it is empty. */
  readonly type?: string;
  readonly query?: string;
  readonly method?: string;
}

/** Asks the token endpoint of a gateway, with every freedom a client has. */
export const asking =
  (gateway: () => TestGateway) =>
  (body: string | Buffer, { authorization, type = form, query = '', method = 'POST' }: Asked = {}): Promise<Answer> => {
    const headers = [
      ...(type === '' ? [] : ['Content-Type', type]),
      ...(authorization === undefined ? [] : ['Authorization', authorization]),
    ];
    return send(gateway().url, `/oauth/token${query}`, { method, headers, body });
  };

/** The answer's token and scope; fails when there is none. */
export function granted(answer: Answer): { access_token: string; scope: string } {
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('access_token')]);
  return JSON.parse(answer.text) as { access_token: string; scope: string };
}

/** Error codes of RFC 6749 §5.2 and RFC 8707 §2, and those for what is not the client's fault. */
const codes = [
  'server_error',
  'temporarily_unavailable',
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
];

/** What holds for every refusal (RFC 6749 §5.2), whatever went wrong; gives `status code`. */
export function refusal(answer: Answer): string {
  expect(answer.headers['content-type']).toBe('application/json;charset=UTF-8');
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.headers.pragma).toBe('no-cache');
  expect(answer.headers.location).toBeUndefined();
  const body = JSON.parse(answer.text) as { error: string; error_description: string; error_uri: string };
  expect(Object.keys(body)).toEqual(['error', 'error_description', 'error_uri']);
  expect(codes).toContain(body.error);
  const topic = answer.status === 429 ? 'rate_limited' : body.error;
  expect(body.error_uri).toMatch(new RegExp(`^https?://[^#]+/docs/errors#${topic}$`));
  expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,300}$/);
  if (answer.status === 401) expect(answer.headers['www-authenticate']).toBe('Basic realm="weir", charset="UTF-8"');
  else expect(answer.headers['www-authenticate']).toBeUndefined();
  return `${answer.status} ${body.error}`;
}

/** A part of a JWT. */
export const decoded = (part: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
