import { answerKeptBytes, type DestinationAuth, type DestinationSecrets } from '../../domain/stream.js';
import { type EgressResponse, guardedFetch } from '../../net/egress.js';
import { EgressError } from '../../net/egress-error.js';
import { retryAfterMs } from '../retry.js';
import type { Outcome, Reach } from './destination.js';

/** For all of one request. */
const timeoutMs = 10_000;

export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** How the answers of a destination are to be read, where that is not by the status alone. */
export interface AnswerRules {
  /** Statuses after which it may go better later. */
  isRetryable(status: number): boolean;
  /** What a 2xx says, if it does not say that all was taken. */
  onSuccess?(response: EgressResponse): Pick<Outcome, 'result' | 'error'> | undefined;
}

/** Sends through the guard and says what became of it. Secrets that come back in an answer are masked. */
export async function sendHttp(
  { url, headers, body }: HttpRequest,
  { allowHttp, allowedNetworks, proxy, seams, now, agent }: Reach,
  secrets: readonly string[],
  rules: AnswerRules,
): Promise<{ outcome: Outcome; response?: EgressResponse }> {
  let response: EgressResponse;
  try {
    response = await guardedFetch(
      url,
      {
        method: 'POST',
        headers: { 'user-agent': agent, ...headers },
        body,
        timeoutMs,
        maxBytes: answerKeptBytes,
        cutBody: true,
        allowHttp,
        allowedNetworks,
        proxy,
      },
      seams,
    );
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    const forGood = error.fault === 'request' || error.fault === 'redirect';
    return {
      outcome: { result: forGood ? 'refused' : 'retry', status: null, error: error.adviceFor('streams'), answer: '' },
    };
  }
  const { status } = response;
  const answer = mask(response.body.toString('utf8'), secrets);
  if (status < 300) {
    const said = rules.onSuccess?.(response);
    return { outcome: { result: 'delivered', error: null, ...said, status, answer }, response };
  }
  const outcome = { status, error: `The destination answered ${status}.`, answer };
  if (status === 401 || status === 403) return { outcome: { ...outcome, result: 'credentials' }, response };
  if (!rules.isRetryable(status)) return { outcome: { ...outcome, result: 'refused' }, response };
  const retryAfter = retryAfterMs(response.headers['retry-after'] ?? rateReset(response), now());
  return { outcome: { ...outcome, result: 'retry', retryAfterMs: retryAfter }, response };
}

/** Datadog says it in a header of its own. */
function rateReset({ status, headers }: EgressResponse): string | undefined {
  const reset = headers['x-ratelimit-reset'];
  return status === 429 && typeof reset === 'string' ? reset : undefined;
}

/** Every 5xx, 429 and a request that came too slowly. */
export const isTransient = (status: number): boolean => status >= 500 || status === 429 || status === 408;

export function authHeaders(
  { auth_type, auth_header_name, username }: DestinationAuth,
  { api_key, token, password }: DestinationSecrets,
): Record<string, string> {
  switch (auth_type) {
    case 'none':
      return {};
    case 'api_key':
      return { [auth_header_name!.toLowerCase()]: api_key! };
    case 'bearer':
      return { authorization: `Bearer ${token}` };
    case 'basic':
      return { authorization: `Basic ${basicOf(username!, password!)}` };
  }
}

const basicOf = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`).toString('base64');

/** Every form in which the secrets of a destination go out. */
export function sentSecrets(secrets: DestinationSecrets, username?: string): string[] {
  const { api_key, token, password } = secrets;
  // `Basic …` and `Bearer …` may stand in an API key, and the half after the blank is the secret.
  const all = [api_key, token, password, api_key?.split(' ').at(-1)];
  if (password !== undefined && username !== undefined) all.push(basicOf(username, password));
  return all.filter((secret) => secret !== undefined);
}

function mask(text: string, secrets: readonly string[]): string {
  let masked = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])) {
      // A secret cut off at the end of what is kept is masked, too.
      masked = masked.replaceAll(form, '***');
      masked = maskEnd(masked, form);
    }
  }
  return masked;
}

function maskEnd(text: string, secret: string): string {
  if (text.length < answerKeptBytes - 4) return text;
  for (let length = secret.length - 1; length >= 4; length--) {
    if (text.endsWith(secret.slice(0, length))) return `${text.slice(0, -length)}***`;
  }
  return text;
}
