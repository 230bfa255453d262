import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold; none fires at once. */
  readonly for?: string | undefined;
  readonly severity: 'warning' | 'critical';
  /** When it fires, for people. */
  readonly when: string;
}

/** `contrib/prometheus/aura-alerts.yml`, which customers load: two folders up from the sources, three from what is built. */
export function alertRuleFile(): string {
  const folders = ['../../', '../../../'].map((up) => new URL(`${up}contrib/prometheus/`, import.meta.url));
  const file = folders.map((folder) => new URL('aura-alerts.yml', folder)).find((url) => existsSync(url));
  if (file === undefined) throw new Error('contrib/prometheus/aura-alerts.yml is missing from the installation');
  return readFileSync(file, 'utf8');
}

const alertingRule = z.object({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.object({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.object({ summary: z.string().regex(/^Instance \{\{ \$labels\.instance_id \}\}: .+\.$/) }),
});
const ruleFile = z.object({
  groups: z.array(z.object({ rules: z.array(z.union([alertingRule, z.object({ record: z.string() })])) })),
});

/** The usual alerts on an instance's metrics: the faulty instance trips them all, the other two none. */
export function readAlertRules(): AlertRule[] {
  const { groups } = ruleFile.parse(parse(alertRuleFile()));
  return groups.flatMap(({ rules }) =>
    rules.flatMap((rule) => {
      if (!('alert' in rule)) return [];
      const { alert, expr, for: held, labels, annotations } = rule;
      const when = annotations.summary.replace(/^Instance .*?: /, '').replace(/\.$/, '');
      return [{ alert, expr, for: held, severity: labels.severity, when }];
    }),
  );
}
