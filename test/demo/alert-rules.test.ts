import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { alertRuleFile, readAlertRules } from '../../src/demo/alert-rules.js';
import { catalogue } from '../../src/demo/catalogue.js';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
const groups = parse(alertRuleFile(), { version: '1.1' }).groups as { rules: Rule[] }[];
const rules = groups.flatMap((group) => group.rules);

describe('the alert rules', () => {
  test('are those that customers load', () => {
    expect(alertRuleFile()).toBe(readFileSync('contrib/prometheus/aura-alerts.yml', 'utf8'));
    expect(readAlertRules().map(({ alert, severity, for: held }) => [alert, severity, held])).toEqual([
      ['HighCPUUsage', 'warning', '5m'],
      ['LowPageCacheHitRatio', 'warning', '10m'],
      ['HighHeapUsage', 'critical', '15m'],
      ['OutOfMemoryErrors', 'critical', undefined],
      ['HighRollbackRate', 'warning', '5m'],
    ]);
    expect(readAlertRules()[0]!.when).toBe('CPU above 85 %');
  });

  test('and the recordings ask only for metrics that the instances have', () => {
    const known = new Set(catalogue.map(({ name }) => name));
    for (const { expr } of rules) {
      const asked = expr.match(/(?<![\w:])neo4j_\w+/g) ?? [];
      expect(asked.length).toBeGreaterThan(0);
      expect(asked.filter((name) => !known.has(name))).toEqual([]);
    }
  });

  test('have a section each in docs/alerts.md, with the four questions', () => {
    const page = readFileSync('docs/alerts.md', 'utf8');
    const sections = page.split(/^## /m).slice(1);
    const alerts = rules.filter(({ alert }) => alert !== undefined);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(alerts.map(({ alert }) => alert));
    for (const section of sections) {
      expect(section.match(/^\*\*.+?\*\*/gm)).toEqual(['**It means**', '**Look**', '**Do**', '**When it is wrong**']);
    }
    for (const { alert, annotations } of alerts) {
      expect(annotations!.runbook).toBe(`docs/alerts.md#${alert!.toLowerCase()}`);
      expect(annotations!.description).toMatch(/\.$/);
    }
  });
});
