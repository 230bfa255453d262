import { z } from 'zod';

/**
 * The part of Grafana's dashboard schema (kinds/dashboard/dashboard_kind.cue of its source, and panelcfg.cue of the panels)
 * that our dashboards use; anything else in a file is taken for a slip of the pen. Stricter than Grafana where we are: every
 * panel has a description, a unit and thresholds, and asks the data source of the variable.
 */
const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal(`\${datasource}`) });
const gridPos = z
  .strictObject({ h: z.int().positive(), w: z.int().min(1).max(24), x: z.int().min(0).max(23), y: z.int().min(0) })
  .refine(({ w, x }) => w + x <= 24, 'reaches beyond the right edge');
const common = { id: z.int().positive(), title: z.string().min(1), gridPos };
const sentences = z.string().regex(/^[A-Z].*\.$/);

const thresholds = z.strictObject({
  mode: z.literal('absolute'),
  steps: z
    .tuple([z.strictObject({ color: z.string(), value: z.null() })])
    .rest(z.strictObject({ color: z.string(), value: z.number() })),
});
const mapping = z.strictObject({
  type: z.literal('value'),
  options: z.record(z.string(), z.strictObject({ text: z.string(), color: z.string(), index: z.int() })),
});
/** Ids of Grafana's unit list (packages/grafana-data/src/valueFormats/categories.ts). */
const unit = z.enum(['none', 'short', 'percentunit', 's', 'ms', 'bytes', 'reqps', 'cps']);
/** On a field. */
const dataLink = z.strictObject({
  title: z.string(),
  url: z.string().startsWith('/d/'),
  targetBlank: z.literal(false),
});
const target = z.strictObject({
  refId: z.string().regex(/^[A-Z]$/),
  datasource,
  editorMode: z.literal('code'),
  expr: z.string().min(1),
  legendFormat: z.string().min(1),
  instant: z.boolean(),
  range: z.boolean(),
});
const fieldConfig = <Custom extends z.ZodType>(custom: Custom) =>
  z.strictObject({
    defaults: z.strictObject({
      unit,
      thresholds,
      color: z.strictObject({ mode: z.enum(['thresholds', 'palette-classic']) }),
      custom,
      mappings: z.array(mapping).optional(),
      links: z.array(dataLink).optional(),
      decimals: z.int().optional(),
      min: z.number().optional(),
      max: z.number().optional(),
    }),
    overrides: z.tuple([]),
  });
const legend = z.strictObject({
  displayMode: z.literal('list'),
  placement: z.literal('bottom'),
  showLegend: z.boolean(),
  calcs: z.tuple([]),
});
const tooltip = z.strictObject({ mode: z.enum(['single', 'multi']), sort: z.enum(['none', 'desc']) });
const data = { ...common, description: sentences, datasource, targets: z.array(target).min(1) };

const stat = z.strictObject({
  ...data,
  type: z.literal('stat'),
  fieldConfig: fieldConfig(z.undefined().optional()),
  options: z.strictObject({
    colorMode: z.literal('value'),
    graphMode: z.literal('none'),
    justifyMode: z.literal('auto'),
    orientation: z.enum(['auto', 'horizontal']),
    textMode: z.enum(['auto', 'name', 'value_and_name']),
    reduceOptions: z.strictObject({
      calcs: z.tuple([z.literal('lastNotNull')]),
      fields: z.string(),
      values: z.boolean(),
    }),
  }),
});
const timeseries = z.strictObject({
  ...data,
  type: z.literal('timeseries'),
  fieldConfig: fieldConfig(
    z.strictObject({
      drawStyle: z.literal('line'),
      lineWidth: z.int().max(10),
      fillOpacity: z.int().max(100),
      showPoints: z.literal('never'),
      spanNulls: z.boolean(),
      stacking: z.strictObject({ mode: z.enum(['none', 'normal']), group: z.string() }),
      thresholdsStyle: z.strictObject({ mode: z.enum(['off', 'dashed']) }),
    }),
  ),
  options: z.strictObject({ legend, tooltip }),
});
const stateTimeline = z.strictObject({
  ...data,
  type: z.literal('state-timeline'),
  fieldConfig: fieldConfig(z.strictObject({ fillOpacity: z.int().max(100), lineWidth: z.int().max(10) })),
  options: z.strictObject({
    mergeValues: z.boolean(),
    showValue: z.enum(['auto', 'never', 'always']),
    rowHeight: z.number().max(1),
    alignValue: z.enum(['left', 'center', 'right']),
    legend,
    tooltip,
  }),
});
const row = z.strictObject({ ...common, type: z.literal('row'), collapsed: z.literal(false), panels: z.tuple([]) });

const selection = { label: z.string(), current: z.strictObject({}), hide: z.literal(0), multi: z.boolean() };
const sourceVariable = z.strictObject({
  ...selection,
  name: z.literal('datasource'),
  type: z.literal('datasource'),
  query: z.literal('prometheus'),
  includeAll: z.boolean(),
  refresh: z.literal(1),
});
const queryVariable = z.strictObject({
  ...selection,
  name: z.string(),
  type: z.literal('query'),
  datasource,
  query: z.strictObject({ query: z.string(), refId: z.string() }),
  definition: z.string(),
  refresh: z.literal(2),
  sort: z.literal(1),
  includeAll: z.boolean(),
  /** `.*` for a label that series may lack. */
  allValue: z.enum(['.+', '.*']).optional(),
});

const annotation = z.strictObject({
  name: z.string(),
  enable: z.literal(true),
  hide: z.literal(false),
  iconColor: z.string(),
  datasource,
  expr: z.string(),
  step: z.string(),
  titleFormat: z.string(),
  textFormat: z.string(),
  tagKeys: z.string(),
  useValueForTime: z.literal(false),
});
const link = z.strictObject({
  type: z.literal('link'),
  title: z.string(),
  tooltip: sentences,
  icon: z.string(),
  url: z.string().startsWith('/d/'),
  asDropdown: z.literal(false),
  includeVars: z.boolean(),
  keepTime: z.boolean(),
  tags: z.tuple([]),
  targetBlank: z.literal(false),
});

const areDistinct = (all: readonly unknown[]): boolean => new Set(all).size === all.length;

const cellsOf = ({ gridPos: { x, y, w, h } }: { gridPos: z.infer<typeof gridPos> }): string[] =>
  Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`);

export const dashboardSchema = z.strictObject({
  uid: z.string().regex(/^[a-z-]{8,40}$/),
  title: z.string(),
  description: sentences,
  tags: z.array(z.string()),
  schemaVersion: z.int().min(36),
  version: z.int(),
  editable: z.boolean(),
  graphTooltip: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  timezone: z.literal('browser'),
  refresh: z.string(),
  time: z.strictObject({ from: z.string(), to: z.string() }),
  templating: z.strictObject({ list: z.tuple([sourceVariable]).rest(queryVariable) }),
  annotations: z.strictObject({ list: z.array(annotation) }),
  links: z.array(link),
  panels: z
    .array(z.discriminatedUnion('type', [row, stat, timeseries, stateTimeline]))
    .refine((panels) => areDistinct(panels.map(({ id }) => id)), 'two panels have one id')
    .refine((panels) => areDistinct(panels.map(({ title }) => title)), 'two panels have one title')
    .refine((panels) => areDistinct(panels.flatMap(cellsOf)), 'two panels overlap'),
});

export type Dashboard = z.infer<typeof dashboardSchema>;
