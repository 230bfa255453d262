import { z } from 'zod';
import { dogstatsdEvent, dogstatsdParts, type StatsdType } from '../../../formats/statsd.js';
import { backendKind, type Facts, type MetricsBackend } from '../backend.js';
import { UdpSender, UnixStreamSender } from '../packet-sender.js';
import { statsdBackend } from '../statsd-backend.js';
import { host, path, port, tags } from './options.js';

/** What fits a datagram on any network, and what an Agent reads from its socket at a time. */
const udpBytes = 1432;
const streamBytes = 8192;

/** A Datadog Agent, by UDP or its unix stream socket; DogStatsD protocol 1.2. */
export const dogstatsd = backendKind({
  type: 'dogstatsd',
  options: z
    .strictObject({
      host: host.nullish(),
      port: port.nullish(),
      socket: path.nullish(),
      container_id: z.string({ error: 'Write the id of the container here.' }).nullish(),
      tags: tags.nullish(),
    })
    .refine(({ socket, host: name, port: number }) => !socket || (!name && !number), {
      error: 'Give either socket, or host and port.',
    }),
  readsRegistry: false,
  sends: true,
  open: ({ host: name, port: number, socket, container_id: containerId }, context): MetricsBackend => {
    const [sender, packetBytes] = socket
      ? [new UnixStreamSender(socket), streamBytes]
      : [new UdpSender(name ?? '127.0.0.1', number ?? 8125), udpBytes];
    const line =
      (type: StatsdType) =>
      (key: string, { tags: all, instance, sampleRate }: Facts) =>
        dogstatsdParts({
          name: `${context.prefix}${key}`,
          type,
          sampleRate,
          tags: instance === undefined ? all : { instance, ...all },
          containerId: containerId ?? undefined,
        });
    const dialect = { manyValues: true, signedGaugesAreChanges: false };
    const { recorder, buffer } = statsdBackend({ sender, packetBytes, dialect, line, distribution: 'd' }, context);
    return {
      ...recorder,
      event: (title, text, { instance, tags: all, ...rest }) =>
        buffer.event(
          dogstatsdEvent({ title, text, ...rest, tags: instance === undefined ? all : { instance, ...all } }),
        ),
    };
  },
});
