import { z } from 'zod';
import document from './aura-metrics.json' with { type: 'json' };

const metricSchema = z.strictObject({
  name: z.string().regex(/^[a-z_][a-z0-9_]*$/),
  type: z.enum(['counter', 'gauge']),
  unit: z.string(),
  /** Whether the unit is our guess, the reference being silent. */
  unit_inferred: z.boolean().optional(),
  /** How the values of an instance's nodes were combined; served as the label of that name. */
  aggregation: z.enum(['MIN', 'MAX', 'AVG', 'SUM']),
  /** Metrics of scope `database` carry a `database` label. */
  scope: z.enum(['resource', 'instance', 'database']),
  help: z.string().regex(/^[^\\\n]+$/, 'must need no escaping'),
  range: z.tuple([z.number(), z.number()]).optional(),
});

/** One metric of the demo's catalogue. */
export type CatalogueMetric = Readonly<z.infer<typeof metricSchema>>;

/** The 33 metrics that each simulated instance reports, in the order of its page. */
export const catalogue: readonly CatalogueMetric[] = z.array(metricSchema).parse(document.metrics);
