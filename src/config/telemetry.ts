import { z } from 'zod';
import { type BackendConfig, backendKinds } from '../telemetry/metrics/backends/index.js';
import { yamlMap } from '../yaml.js';

/** Where the gateway's own metrics go. */
export interface MetricsConfig {
  /** Before every name: `weir.` on StatsD, `weir_` on the page. */
  readonly prefix: string;
  readonly sampleRate: number;
  /** Whether some metrics tell of each project by its id. */
  readonly projectLabel: boolean;
  readonly backends: readonly BackendConfig[];
}

/** The page on the operator's listener, and nothing that leaves the machine. */
export const defaultMetrics: MetricsConfig = {
  prefix: 'weir.',
  sampleRate: 1,
  projectLabel: false,
  backends: [{ type: 'prometheus' }],
};

const rate = z
  .number({ error: 'Write a rate from 0 to 1 here.' })
  .min(0, { error: 'A rate is from 0 to 1.' })
  .max(1, { error: 'A rate is from 0 to 1.' });
const keyBeginning = z.string({ error: 'Write the beginning of a metric here, such as request.' });

/** One entry of the list, by its type. */
const backend = z.discriminatedUnion(
  'type',
  backendKinds.map(({ type, options }) =>
    yamlMap({
      type: z.literal(type),
      options: z.preprocess((given) => given ?? {}, options as z.ZodType<Readonly<Record<string, unknown>>>),
      sample_rate: rate.nullish(),
      prefixes: z.array(keyBeginning, { error: 'Write a list of beginnings of metrics here.' }).nullish(),
    }),
  ) as never,
  { error: `Write a type here, one of ${backendKinds.map(({ type }) => type).join(', ')}.` },
) as z.ZodType<BackendInFile>;

export interface BackendInFile {
  readonly type: BackendConfig['type'];
  readonly options: Readonly<Record<string, unknown>>;
  readonly sample_rate?: number | null;
  readonly prefixes?: readonly string[] | null;
}

export const metricsInFile = yamlMap({
  prefix: z
    .string({ error: 'Write a prefix such as "weir." here.' })
    .regex(/^([A-Za-z][A-Za-z0-9_.]*[._])?$/, { error: 'A prefix is letters and digits and ends with a dot: "weir.".' })
    .nullish(),
  sample_rate: rate.nullish(),
  project_label: z.boolean({ error: 'Write true or false here.' }).nullish(),
  backends: z.array(backend, { error: 'Write a list of backends here.' }).nullish(),
});

export function metricsOf({
  prefix,
  sample_rate,
  project_label,
  backends,
}: z.output<typeof metricsInFile>): MetricsConfig {
  return {
    prefix: prefix ?? defaultMetrics.prefix,
    sampleRate: sample_rate ?? defaultMetrics.sampleRate,
    projectLabel: project_label ?? defaultMetrics.projectLabel,
    backends:
      backends?.map(({ type, options, sample_rate: own, prefixes }) => ({
        type,
        options,
        sampleRate: own ?? 1,
        prefixes: prefixes ?? [],
      })) ?? defaultMetrics.backends,
  };
}
