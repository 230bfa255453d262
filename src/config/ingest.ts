import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { parseDuration } from '../domain/duration.js';
import { instanceLabel } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { defaultRouting, type RoutingSettings } from '../domain/routing.js';
import { defaultStatsd, type StatsdSettings, unixScheme } from '../domain/statsd.js';
import { fixedBounds } from '../formats/otlp/exponential.js';
import { type TranslationStrategy, translationStrategies } from '../formats/otlp/names.js';
import { yamlMap } from '../yaml.js';
import { reading } from './values.js';

/** How data comes in, as far as the operator has a say in it. */
export interface IngestConfig {
  readonly routing: RoutingSettings;
  readonly otlp: OtlpConfig;
  readonly statsd: readonly StatsdSettings[];
}

export interface OtlpConfig {
  readonly strategy: TranslationStrategy;
  /** Resource attributes that become labels of every series. */
  readonly promoted: readonly string[];
  /** Buckets of exponential histograms: their upper bounds, rising, without +Inf. */
  readonly bounds: readonly number[];
}

export const defaultIngest: IngestConfig = {
  routing: defaultRouting,
  otlp: { strategy: 'UnderscoreEscapingWithSuffixes', promoted: [], bounds: fixedBounds },
  statsd: [],
};

const labelName = z
  .string({ error: 'Write the name of a label here, such as weir_project.' })
  .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, { error: 'A label name is letters, digits and underscores.' })
  .refine((name) => !name.startsWith('__') && name !== instanceLabel, {
    error: `This label has another meaning; choose one that is neither ${instanceLabel} nor begins with two underscores.`,
  });

const attributeName = z
  .string({ error: 'Write the name of a resource attribute here, such as weir.project.' })
  .min(1, { error: 'The name of an attribute is not empty.' });

/** Prometheus has two more, whose names only UTF-8 can write; the pages here have none. */
const strategy = z.enum(translationStrategies, {
  error: `Write one of ${translationStrategies.join(', ')} here: names on a page are letters, digits, colons and underscores.`,
});

const mostBounds = 160;

export const bucketBounds = z
  .array(z.number({ error: 'A bucket bound is a number.' }), { error: 'Write a list of bucket bounds here.' })
  .min(1, { error: 'There is no bucket; write one bound or more, or leave the setting out.' })
  .max(mostBounds, { error: `These are more than ${mostBounds} buckets.` })
  .refine((bounds) => bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]!)), {
    error: 'Bucket bounds are finite and rise; +Inf is always there.',
  });

const id = z
  .string({ error: 'Write an id here, as text.' })
  .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'An id is 1 to 64 letters, digits, - or _.' });

const flushInterval = z.string({ error: 'Write a duration such as 10s here.' }).transform(
  reading((written) => {
    const ms = parseDuration(written);
    if (ms < 1000 || ms > 60_000) throw new WeirError('invalid', 'This is not from 1s to 60s.');
    return ms;
  }),
);

const routing = yamlMap({
  project_label: labelName.nullish(),
  endpoint_label: labelName.nullish(),
  project_attribute: attributeName.nullish(),
  endpoint_attribute: attributeName.nullish(),
  unknown: z.enum(['refuse', 'create'], { error: 'Write refuse or create here.' }).nullish(),
})
  .transform(({ project_label, endpoint_label, project_attribute, endpoint_attribute, unknown }) => ({
    projectLabel: project_label ?? defaultRouting.projectLabel,
    endpointLabel: endpoint_label ?? defaultRouting.endpointLabel,
    projectAttribute: project_attribute ?? defaultRouting.projectAttribute,
    endpointAttribute: endpoint_attribute ?? defaultRouting.endpointAttribute,
    unknown: unknown ?? defaultRouting.unknown,
  }))
  .refine(
    ({ projectLabel, endpointLabel, projectAttribute, endpointAttribute }) =>
      projectLabel !== endpointLabel && projectAttribute !== endpointAttribute,
    { error: 'What names the project must differ from what names the endpoint.' },
  );

const isLoopback = (host: string): boolean => /^(127(\.\d+){3}|\[?::1\]?|localhost)$/.test(host);

/** UDP has no credentials: whoever reaches the port writes. */
const statsd = yamlMap({
  listen: z.string({ error: `Write host:port for UDP, or ${unixScheme}/path for a unix stream socket.` }),
  project: id.nullish(),
  endpoint: id.nullish(),
  dialect: z.enum(['dogstatsd', 'statsd'], { error: 'Write dogstatsd or statsd here.' }).nullish(),
  allow_remote: z.boolean({ error: 'Write true or false here.' }).nullish(),
  flush_interval: flushInterval.nullish(),
  timer_buckets: bucketBounds.nullish(),
  histogram_buckets: bucketBounds.nullish(),
})
  .refine(
    ({ project, endpoint }) => ((project ?? undefined) === undefined) === ((endpoint ?? undefined) === undefined),
    {
      error: 'Name project and endpoint, or neither: then tags of each line say where it belongs (ingest.routing).',
    },
  )
  .transform((written, context): StatsdSettings => {
    const { listen, project, endpoint } = written;
    const refusal = wrongAddress(listen, written.allow_remote ?? false);
    if (refusal !== undefined) {
      context.issues.push({ code: 'custom', message: refusal, input: listen, path: ['listen'] });
      return z.NEVER;
    }
    return {
      listen,
      target: project && endpoint ? { projectId: project, metricsId: endpoint } : undefined,
      dialect: written.dialect ?? defaultStatsd.dialect,
      flushMs: written.flush_interval ?? defaultStatsd.flushMs,
      timerBounds: written.timer_buckets ?? defaultStatsd.timerBounds,
      histogramBounds: written.histogram_buckets ?? defaultStatsd.histogramBounds,
    };
  });

function wrongAddress(listen: string, allowRemote: boolean): string | undefined {
  if (listen.startsWith(unixScheme)) {
    const path = listen.slice(unixScheme.length);
    return /^\/.{1,100}$/.test(path) ? undefined : `Write the path from the root: ${unixScheme}/run/weir/dsd.sock.`;
  }
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(listen) ?? [];
  const isHost =
    host !== undefined && (isLoopback(host) || isIPv4(host) || isIPv6(host.replace(/^\[|\]$/g, '')) || host === '');
  if (!isHost || Number(port) > 65_535) {
    return `This is not an address; write host:port such as 127.0.0.1:8125, or ${unixScheme}/path.`;
  }
  if (isLoopback(host) || allowRemote) return undefined;
  return 'StatsD has no credentials: whoever reaches this address could write. Listen on 127.0.0.1, or say allow_remote: true.';
}

export const ingestInFile = yamlMap({
  routing: routing.nullish(),
  otlp: yamlMap({
    translation_strategy: strategy.nullish(),
    promote_resource_attributes: z
      .array(attributeName, { error: 'Write a list of resource attributes here, such as k8s.pod.name.' })
      .nullish(),
    exponential_histogram_buckets: bucketBounds.nullish(),
  }).nullish(),
  statsd: z.array(statsd, { error: 'Write a list of sockets here, each with listen.' }).nullish(),
});

export function ingestOf(file: z.output<typeof ingestInFile>): IngestConfig {
  const { routing: routes, otlp } = file;
  return {
    routing: routes ?? defaultRouting,
    otlp: {
      strategy: otlp?.translation_strategy ?? defaultIngest.otlp.strategy,
      promoted: otlp?.promote_resource_attributes ?? [],
      bounds: otlp?.exponential_histogram_buckets ?? fixedBounds,
    },
    statsd: file.statsd ?? [],
  };
}
