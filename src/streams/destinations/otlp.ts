import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { destinationUrl, isSplunk } from '../../domain/destination.js';
import type { Destination } from '../../domain/stream.js';
import { encodeOtlp } from '../../formats/otlp.js';
import type { EgressResponse } from '../../net/egress.js';
import { otlpMetrics } from '../encode/otlp.js';
import type { OpenDestination, Outcome, Reach, Target } from './destination.js';
import { authHeaders, sendHttp, sentSecrets } from './http.js';

const compress = promisify(gzip);

/** New Relic takes less than 10^6 bytes; whether compressed or not is not said, so it is kept before. */
const mostBytes = 950_000;
/** Splunk takes fewer than 31 buckets; others are only asked to be reasonable. */
const [splunkBuckets, otherBuckets] = [30, 500];

/** The specification has these four and no other, but several receivers answer 500 or 408 when they are overloaded. */
const isRetryable = (status: number): boolean => [408, 429, 500, 502, 503, 504].includes(status);

/** OTLP over HTTP, in protobuf or JSON. */
export function openOtlp({ destination, secrets }: Target, reach: Reach): OpenDestination<Buffer> {
  const { configuration } = destination as Extract<Destination, { type: 'otlp' }>;
  const url = destinationUrl(destination);
  const encoding = configuration.protocol === 'http/json' ? 'json' : 'protobuf';
  const headers = {
    'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    'content-encoding': 'gzip',
    ...authHeaders(configuration, secrets),
  };
  const rules = {
    temporality: configuration.temporality,
    mostBuckets: isSplunk(url) ? splunkBuckets : otherBuckets,
  };
  const masks = sentSecrets(secrets, configuration.username);
  const onSuccess = encoding === 'json' ? jsonRejection : protobufRejection;
  return {
    parts: async function* (window) {
      const resource = [
        ['service.name', 'weir'],
        ['weir.project.id', window.projectId],
      ] as const;
      yield* encodeOtlp({ resource, scope: { name: 'weir' } }, otlpMetrics(window, rules), encoding, mostBytes);
    },
    send: async (part) => {
      const body = await compress(part);
      return (await sendHttp({ url, headers, body }, reach, masks, { isRetryable, onSuccess })).outcome;
    },
    close: async () => {},
  };
}

type Said = Pick<Outcome, 'result' | 'error'> | undefined;

/** Points that were refused must not be sent again (OTLP, "Partial Success"). */
const rejection = (count: number, message: string): Said =>
  count === 0
    ? undefined
    : { result: 'delivered', error: `The destination rejected ${count} points: ${message.slice(0, 300)}` };

function jsonRejection({ body }: EgressResponse): Said {
  try {
    const { partialSuccess } = JSON.parse(body.toString()) as {
      partialSuccess?: { rejectedDataPoints?: string | number; errorMessage?: string };
    };
    return rejection(Number(partialSuccess?.rejectedDataPoints ?? 0) || 0, String(partialSuccess?.errorMessage ?? ''));
  } catch {
    return undefined;
  }
}

/** `ExportMetricsServiceResponse{partial_success=1{rejected_data_points=1, error_message=2}}`; what is not that says nothing. */
function protobufRejection({ body }: EgressResponse): Said {
  const partial = fields(body).find(([number]) => number === 1)?.[1];
  if (!Buffer.isBuffer(partial)) return undefined;
  const inner = fields(partial);
  const count = inner.find(([number]) => number === 1)?.[1];
  const message = inner.find(([number]) => number === 2)?.[1];
  return rejection(typeof count === 'number' ? count : 0, Buffer.isBuffer(message) ? message.toString() : '');
}

/** Varint and length-delimited fields up to the first that is something else. */
function fields(message: Buffer): [number: number, value: number | Buffer][] {
  const found: [number, number | Buffer][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; at < message.length; shift *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 === 0) found.push([Math.floor(tag / 8), varint()]);
    else if (tag % 8 === 2) {
      const length = varint();
      found.push([Math.floor(tag / 8), message.subarray(at, at + length)]);
      at += length;
    } else break;
  }
  return found;
}
