import { compress } from 'snappy';
import { destinationUrl } from '../../domain/destination.js';
import type { Destination } from '../../domain/stream.js';
import { encodeWrite1, encodeWrite2, type WriteSeries, writeBatches } from '../encode/remote-write.js';
import type { OpenDestination, Reach, Target } from './destination.js';
import { authHeaders, isTransient, sendHttp, sentSecrets } from './http.js';

const versions = {
  1: {
    encode: encodeWrite1,
    headers: { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
  },
  2: {
    encode: encodeWrite2,
    headers: {
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'x-prometheus-remote-write-version': '2.0.0',
    },
  },
} as const;

/**
 * Prometheus remote write 2.0, and 1.0 once the receiver has shown that it knows no other: by 415, or by a 2xx without
 * the counts 2.0 demands, which is how Prometheus 2 answers to what it could not read.
 */
export function openRemoteWrite({ destination, secrets }: Target, reach: Reach): OpenDestination<WriteSeries[]> {
  const { configuration } = destination as Extract<Destination, { type: 'prometheus_remote_write' }>;
  const url = destinationUrl(destination);
  const auth = authHeaders(configuration, secrets);
  const masks = sentSecrets(secrets, configuration.username);
  let version: 1 | 2 = 2;
  const post = async (batch: readonly WriteSeries[]) => {
    const { encode, headers } = versions[version];
    const body = await compress(encode(batch));
    const all = { 'content-encoding': 'snappy', ...headers, ...auth };
    return sendHttp({ url, headers: all, body }, reach, masks, { isRetryable: isTransient });
  };
  return {
    parts: async function* (window) {
      yield* writeBatches(window);
    },
    send: async (batch) => {
      const { outcome, response } = await post(batch);
      if (version === 1 || response === undefined) return outcome;
      const unread =
        response.status === 415 ||
        (response.status < 300 && response.headers['x-prometheus-remote-write-samples-written'] === undefined);
      if (!unread) return outcome;
      version = 1;
      return (await post(batch)).outcome;
    },
    close: async () => {},
  };
}
