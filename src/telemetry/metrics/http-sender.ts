import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { TryAgain } from './outbox.js';

const compress = promisify(gzip);

export interface HttpParcel {
  readonly url: string;
  readonly contentType: string;
  readonly body: string | Buffer;
}

/** Posts a body, compressed. Rejects with `TryAgain` where the receiver may take it another time. */
export async function post(
  { url, contentType, body }: HttpParcel,
  headers: Readonly<Record<string, string>>,
  { fetch: send, signal }: { fetch: typeof fetch; signal: AbortSignal },
): Promise<void> {
  let response: Response;
  try {
    response = await send(url, {
      method: 'POST',
      headers: { 'content-type': contentType, 'content-encoding': 'gzip', ...headers },
      body: new Uint8Array(await compress(body)),
      // A key must not be carried elsewhere.
      redirect: 'error',
      signal,
    });
    // Read, so that the connection serves again; what it says may be long, and may repeat what was sent.
    await response.arrayBuffer();
  } catch (error) {
    throw new TryAgain('the receiver cannot be reached', undefined, error);
  }
  if (response.ok) return;
  const sentence = `the receiver answered ${response.status}`;
  if ([408, 429, 500, 502, 503, 504].includes(response.status)) throw new TryAgain(sentence, retryAfter(response));
  throw new Error(sentence);
}

/** In milliseconds; of a date, nothing is made. */
function retryAfter({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? headers.get('x-ratelimit-reset') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
