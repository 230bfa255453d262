import { z } from 'zod';
import { type StatsdType, statsdParts } from '../../../formats/statsd.js';
import { backendKind, type Facts, type MetricsBackend } from '../backend.js';
import { UdpSender } from '../packet-sender.js';
import { statsdBackend } from '../statsd-backend.js';
import { host, port } from './options.js';

/** Plain StatsD by UDP: no tags, no events; a gauge's tags become part of its name. What is not a time is sent as one, for it knows no other spread. */
export const statsd = backendKind({
  type: 'statsd',
  options: z.strictObject({ host: host.nullish(), port: port.nullish() }),
  readsRegistry: false,
  sends: true,
  open: ({ host: name, port: number }, context): MetricsBackend => {
    const line =
      (type: StatsdType) =>
      (key: string, { instance, sampleRate, tags }: Facts) => {
        // Counters of all tags add up, but of gauges one would overwrite the other.
        const parts = [...(instance === undefined ? [] : [instance]), ...(type === 'g' ? Object.values(tags) : [])];
        const name = [`${context.prefix}${key}`, ...parts.map((part) => part.replaceAll('.', '_'))].join('.');
        return statsdParts({ name, type, sampleRate, tags: {} });
      };
    const sender = new UdpSender(name ?? '127.0.0.1', number ?? 8125);
    const dialect = { manyValues: false, signedGaugesAreChanges: true };
    return statsdBackend({ sender, packetBytes: 1432, dialect, line, distribution: 'ms' }, context).recorder;
  },
});
