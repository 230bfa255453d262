import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { alertRuleFile, alertRules } from '../../src/demo/alert-rules.js';
import { catalogue } from '../../src/demo/catalogue.js';

describe('the alert rules', () => {
  test('ask only for metrics that the instances have', () => {
    const known = new Set(catalogue.map(({ name }) => name));
    const asked = alertRules.flatMap(({ expr }) => expr.match(/neo4j_\w+/g) ?? []);
    expect(asked.length).toBeGreaterThanOrEqual(alertRules.length);
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  });

  test('stand in a rule file as Prometheus reads it', () => {
    const { groups } = parse(alertRuleFile(), { version: '1.1' });
    expect(groups).toHaveLength(1);
    expect(groups[0].rules.map(({ alert }: { alert: string }) => alert)).toEqual(alertRules.map(({ alert }) => alert));
    expect(groups[0].rules[0]).toEqual({
      alert: 'HighCPUUsage',
      expr: 'neo4j_aura_cpu_usage / neo4j_aura_cpu_limit > 0.85',
      for: '5m',
      labels: { severity: 'warning' },
      annotations: { summary: 'Instance {{ $labels.instance_id }}: CPU above 85 %' },
    });
    expect(groups[0].rules[3]).not.toHaveProperty('for');
  });
});
