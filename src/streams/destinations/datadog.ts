import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { destinationUrl } from '../../domain/destination.js';
import { datadogBody, datadogSeries } from '../encode/datadog.js';
import type { OpenDestination, Reach, Target } from './destination.js';
import { isTransient, sendHttp, sentSecrets } from './http.js';

const compress = promisify(gzip);

/** As sent, and after inflating; below Datadog's 512,000 and 5,242,880 bytes. */
const [mostSent, mostInflated] = [500_000, 5_000_000];
/** A request of this size compresses to what may be sent, nearly always. */
const aimed = 2_000_000;

/** Datadog's v2 series. A repeated point overwrites the one of the same second and tags, so nothing is counted twice. */
export function openDatadog({ destination, secrets }: Target, reach: Reach): OpenDestination<Buffer> {
  const url = destinationUrl(destination);
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', 'dd-api-key': secrets.api_key! };
  const masks = sentSecrets(secrets);
  return {
    parts: (window) => parts(datadogSeries(window)),
    send: async (body) => (await sendHttp({ url, headers, body }, reach, masks, { isRetryable: isTransient })).outcome,
    close: async () => {},
  };
}

async function* parts(series: readonly string[]): AsyncGenerator<Buffer> {
  let first = 0;
  let size = 0;
  for (const [index, each] of series.entries()) {
    const bytes = Buffer.byteLength(each) + 1;
    if (size + bytes > aimed && index > first) {
      yield* compressed(series.slice(first, index));
      first = index;
      size = 0;
    }
    size += bytes;
  }
  if (first < series.length) yield* compressed(series.slice(first));
}

/** In halves when it does not compress well enough. */
async function* compressed(series: readonly string[]): AsyncGenerator<Buffer> {
  const text = datadogBody(series);
  const body = await compress(text);
  const fits = body.length <= mostSent && Buffer.byteLength(text) <= mostInflated;
  if (fits || series.length === 1) {
    yield body;
    return;
  }
  const middle = Math.ceil(series.length / 2);
  yield* compressed(series.slice(0, middle));
  yield* compressed(series.slice(middle));
}
