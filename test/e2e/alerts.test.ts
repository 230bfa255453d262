import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Programs, promtoolProgram } from '../support/programs.js';
import { namesIn, operatorSeriesNames } from '../support/promql-names.js';

const programs = new Programs();
afterAll(() => programs.end());

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Case {
  readonly name: string;
  readonly alert_rule_test: readonly { eval_time: string; alertname: string; exp_alerts: readonly unknown[] }[];
}

const folder = join(process.cwd(), 'contrib/prometheus');
const runbooks = 'docs/runbooks';
const { groups } = parse(readFileSync(join(folder, 'weir-alerts.yml'), 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const { tests } = parse(readFileSync(join(folder, 'weir-alerts.test.yml'), 'utf8')) as { tests: Case[] };

const promtool = (...args: string[]) => programs.run(promtoolProgram(), args);

describe('contrib/prometheus/weir-alerts.yml', () => {
  it('holds rules that promtool has nothing against', async () => {
    const { status, stdout, stderr } = await promtool('check', 'rules', join(folder, 'weir-alerts.yml'));
    expect(stdout + stderr).toContain(`SUCCESS: ${rules.length} rules found`);
    expect(status).toBe(0);
  });

  it('fires and resolves as its cases say', async () => {
    const { status, stdout, stderr } = await promtool('test', 'rules', join(folder, 'weir-alerts.test.yml'));
    expect([status, stderr], stdout).toEqual([0, '']);
    expect(stdout).toContain('SUCCESS');
  });

  it.each(alerts.map(({ alert }) => alert))('has a case in which %s is quiet, fires, and resolves', (alert) => {
    const courses = tests.map(({ name, alert_rule_test }) => {
      expect(name, 'begins with the alert it is of').toMatch(/^Weir\w+: \S/);
      return alert_rule_test
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts }) => exp_alerts.length > 0);
    });
    // One fires from its first sample: what it tells of was before.
    expect(courses).toContainEqual(alert === 'WeirUncleanShutdown' ? [true, false] : [false, true, false]);
  });

  it('asks only for metrics that the operator page has', () => {
    const known = new Set([...operatorSeriesNames, ...rules.map(({ record }) => record), 'up']);
    for (const { expr, alert, record } of rules) {
      const names = namesIn(expr);
      expect(names, alert ?? record).not.toEqual([]);
      expect(
        names.filter((name) => !known.has(name)),
        alert ?? record,
      ).toEqual([]);
    }
  });

  it('tells with each alert how bad it is, what happens, and where to read on', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(labels, alert).toEqual({ severity: expect.stringMatching(/^(critical|warning|info)$/) });
      expect(annotations, alert).toEqual({
        summary: expect.stringMatching(/\.$/),
        description: expect.stringMatching(/\.$/),
        runbook: `${runbooks}/${alert}.md`,
      });
    }
  });

  it('turns into URLs, or to another job, by the commands at its top', async () => {
    const text = readFileSync(join(folder, 'weir-alerts.yml'), 'utf8');
    const commands = [...text.matchAll(/^# {5}(sed .*)$/gm)].map(([, command]) => command!.replace(' -i', ''));
    expect(commands).toHaveLength(2);
    const [renamed, linked] = await Promise.all(
      commands.map(async (command) => {
        const { stdout, stderr } = await programs.run('bash', ['-c', command.replace(/ weir-alerts\.yml$/, '')], {
          input: text,
        });
        expect(stderr).toBe('');
        return (parse(stdout) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
      }),
    );
    expect(renamed!.map(({ expr }) => expr)).toEqual(rules.map(({ expr }) => expr.replaceAll('weir-operator', 'NAME')));
    expect(
      linked!.filter(({ alert }) => alert !== undefined).map(({ annotations }) => annotations?.runbook_url),
    ).toEqual(alerts.map(({ alert }) => `https://wiki.example.com/weir/${alert}`));
  });
});

describe('docs/runbooks', () => {
  const pages = readdirSync(runbooks).filter((file) => file !== 'README.md');
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('src', file), 'utf8'))
    .join('\n');

  it('has a page for each alert, in the index with its severity, and no other', () => {
    expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
    const rows = readFileSync(join(runbooks, 'README.md'), 'utf8').match(/^\| \[.*$/gm) ?? [];
    expect(rows.map((row) => row.split(' | ').slice(0, 2).join(' | '))).toEqual(
      alerts.map(({ alert, labels }) => `| [${alert}](${alert}.md) | ${labels!.severity}`),
    );
  });

  it.each(pages)('%s answers the four questions, with metrics, log lines and pages that exist', (page) => {
    const text = readFileSync(join(runbooks, page), 'utf8');
    expect(text.match(/^#+ .*$/gm)).toEqual([
      `# ${page.slice(0, -3)}`,
      '## What it means',
      '## What customers notice',
      '## How to look',
      '## What to do',
    ]);
    const names = text.match(/\b(weir|process|nodejs)_[a-z_]+/g) ?? [];
    expect(names.filter((name) => !operatorSeriesNames.has(name))).toEqual([]);
    const lines = [...text.matchAll(/journalctl -u weir .*grep '([^'"]+)'/g)].map(([, line]) => line!);
    expect(lines.filter((line) => !sources.includes(line))).toEqual([]);
    const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link]) => link!);
    for (const link of links) expect(() => readFileSync(join(runbooks, link)), link).not.toThrow();
  });
});
