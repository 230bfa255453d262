import { z } from 'zod';
import { instanceLabel } from '../domain/endpoint.js';
import { defaultRouting, type RoutingSettings } from '../domain/routing.js';
import { fixedBounds } from '../formats/otlp/exponential.js';
import { type TranslationStrategy, translationStrategies } from '../formats/otlp/names.js';
import { yamlMap } from '../yaml.js';

/** How data comes in, as far as the operator has a say in it. */
export interface IngestConfig {
  readonly routing: RoutingSettings;
  readonly otlp: OtlpConfig;
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

export const ingestInFile = yamlMap({
  routing: routing.nullish(),
  otlp: yamlMap({
    translation_strategy: strategy.nullish(),
    promote_resource_attributes: z
      .array(attributeName, { error: 'Write a list of resource attributes here, such as k8s.pod.name.' })
      .nullish(),
    exponential_histogram_buckets: bucketBounds.nullish(),
  }).nullish(),
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
  };
}
