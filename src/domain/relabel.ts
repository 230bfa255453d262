/** What Prometheus' `metric_relabel_configs` can do. */
export const relabelActions = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof relabelActions)[number];

/** One rule, in Prometheus' own words. What is absent has Prometheus' default. */
export interface RelabelConfig {
  readonly source_labels?: readonly string[] | undefined;
  readonly separator?: string | undefined;
  readonly regex?: string | undefined;
  readonly modulus?: number | undefined;
  readonly target_label?: string | undefined;
  readonly replacement?: string | undefined;
  readonly action?: RelabelAction | undefined;
}

/** How the series of an endpoint are changed before they are served: nothing of what is stored changes. */
export interface Relabeling {
  /** Metrics (families) that are not served, by the name they were pushed under. */
  readonly droppedMetrics: readonly string[];
  /** Applied in order, to each series by itself. */
  readonly relabelConfigs: readonly RelabelConfig[];
  /** Labels that are not served, after the rules. */
  readonly droppedLabels: readonly string[];
}

export const noRelabeling: Relabeling = { droppedMetrics: [], relabelConfigs: [], droppedLabels: [] };

/** Whether there is anything to do. */
export const isRelabeled = ({ droppedMetrics, relabelConfigs, droppedLabels }: Relabeling): boolean =>
  droppedMetrics.length + relabelConfigs.length + droppedLabels.length > 0;
