import { stringify } from 'yaml';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold; none fires at once. */
  readonly for?: string;
  readonly severity: 'warning' | 'critical';
  /** When it fires, for people. */
  readonly when: string;
}

/** The usual alerts on an instance's metrics: the faulty instance trips them all, the other two none. */
export const alertRules: readonly AlertRule[] = [
  {
    alert: 'HighCPUUsage',
    expr: 'neo4j_aura_cpu_usage / neo4j_aura_cpu_limit > 0.85',
    for: '5m',
    severity: 'warning',
    when: 'CPU above 85 %',
  },
  {
    alert: 'LowPageCacheHitRatio',
    expr: 'neo4j_dbms_page_cache_hit_ratio_per_minute < 0.98',
    for: '10m',
    severity: 'warning',
    when: 'page cache hits below 98 %',
  },
  {
    alert: 'HighHeapUsage',
    expr: 'neo4j_dbms_vm_heap_used_ratio > 0.80',
    for: '15m',
    severity: 'critical',
    when: 'heap above 80 %',
  },
  {
    alert: 'OutOfMemoryErrors',
    expr: 'increase(neo4j_aura_out_of_memory_errors_total[5m]) > 0',
    severity: 'critical',
    when: 'a new out-of-memory error',
  },
  {
    alert: 'HighRollbackRate',
    expr:
      'rate(neo4j_database_transaction_rollbacks_total[10m]) / ' +
      'rate(neo4j_database_transaction_committed_total[10m]) > 0.05',
    for: '5m',
    severity: 'warning',
    when: 'rollbacks above 5 % of commits',
  },
];

/** The text of a Prometheus rule file. */
export function alertRuleFile(): string {
  const rules = alertRules.map(({ alert, expr, for: held, severity, when }) => ({
    alert,
    expr,
    ...(held === undefined ? {} : { for: held }),
    labels: { severity },
    annotations: { summary: `Instance {{ $labels.instance_id }}: ${when}` },
  }));
  return stringify({ groups: [{ name: 'weir-demo', interval: '30s', rules }] }, { version: '1.1', lineWidth: 0 });
}
