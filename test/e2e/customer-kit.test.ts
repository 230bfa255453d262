import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readAlertRules } from '../../src/demo/alert-rules.js';
import { catalogue } from '../../src/demo/catalogue.js';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import type { Profile } from '../../src/demo/profiles.js';
import { InstanceSimulator } from '../../src/demo/simulator.js';
import { seededRandom } from '../demo/seeded-random.js';
import { dashboardSchema } from '../support/grafana-dashboard.js';
import { datadogPython, eventually, Programs, promtoolProgram } from '../support/programs.js';
import { PrometheusProcess } from '../support/prometheus-process.js';
import { namesIn } from '../support/promql-names.js';
import { securely } from '../support/securely.js';
import { WeirProcess } from '../support/weir-process.js';

/** What customers load into Grafana, Prometheus and Datadog, with the demo's three instances behind a gateway. */
const programs = new Programs();
afterAll(() => programs.end());

const rulesFile = join(process.cwd(), 'contrib/prometheus/aura-alerts.yml');
const source = readFileSync('contrib/grafana/weir-customer.json', 'utf8');
const dashboard = dashboardSchema.parse(JSON.parse(source));
const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
const profiles: readonly Profile[] = ['healthy', 'busy', 'faulty'];

/** As Grafana would ask, with everything chosen and some scrapes in a rate. */
const filledIn = (expression: string): string =>
  expression
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$project', '.*')
    .replaceAll('$instance', '.*')
    .replaceAll('$metric', 'neo4j_aura_cpu_usage');

/** An instance whose time is in our hands. */
function simulated(profile: Profile) {
  const clock = {
    at: Date.UTC(2026, 0, 1, 12),
    now() {
      return this.at;
    },
    monotonic() {
      return this.at;
    },
  };
  const simulator = new InstanceSimulator({ profile, clock, random: seededRandom(profile.length) });
  return {
    page: (): string => simulator.exposition(),
    pass: (seconds: number): void => {
      clock.at += seconds * 1000;
    },
  };
}

describe('contrib/prometheus/aura-alerts.yml', () => {
  const promtool = (...args: string[]) => programs.run(promtoolProgram(), args);

  it('holds rules that promtool has nothing against, and fires and resolves as its cases say', async () => {
    const checked = await promtool('check', 'rules', rulesFile);
    expect(checked.stdout + checked.stderr).toContain('SUCCESS: 11 rules found');
    const tested = await promtool('test', 'rules', rulesFile.replace('.yml', '.test.yml'));
    expect([tested.status, tested.stderr], tested.stdout).toEqual([0, '']);
  });

  it('fires on the faulty instance and on no other, and resolves when it is repaired', async () => {
    const rules = readAlertRules();
    const names = new Set(rules.flatMap(({ expr }) => namesIn(expr)));
    const rows: Record<string, string[]> = {};
    const steps = { faulty: 90, repaired: 90, seconds: 30 };
    for (const profile of profiles) {
      const before = simulated(profile);
      const after = simulated(profile === 'faulty' ? 'healthy' : profile);
      for (let step = 0; step < steps.faulty + steps.repaired; step++) {
        const isBefore = step < steps.faulty;
        const instance = isBefore || profile !== 'faulty' ? before : after;
        instance.pass(steps.seconds);
        for (const line of instance.page().split('\n')) {
          const [, name, labels, value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
          if (name === undefined || !names.has(name)) continue;
          const series = `${name}{${labels},instance_id="${profile}"}`;
          rows[series] = [...(rows[series] ?? []), value!];
        }
      }
    }
    expect(Object.keys(rows)).toHaveLength(names.size * profiles.length);
    const bare = join(programs.folder, 'bare-rules.yml');
    writeFileSync(bare, stringify({ groups: [{ name: 'bare', rules: rules.map(withoutAnnotations) }] }));
    const expected = (alert: string, fires: boolean) =>
      fires ? [{ exp_labels: labelsOf(alert, Object.keys(rows)) }] : [];
    const cases = join(programs.folder, 'simulated.test.yml');
    writeFileSync(
      cases,
      stringify({
        rule_files: [bare],
        evaluation_interval: '30s',
        tests: [
          {
            interval: `${steps.seconds}s`,
            input_series: Object.entries(rows).map(([series, values]) => ({ series, values: values.join(' ') })),
            alert_rule_test: rules.flatMap(({ alert }) => [
              { eval_time: '44m', alertname: alert, exp_alerts: expected(alert, true) },
              { eval_time: '85m', alertname: alert, exp_alerts: expected(alert, false) },
            ]),
          },
        ],
      }),
    );
    const { status, stdout, stderr } = await promtool('test', 'rules', cases);
    expect([status, stderr], stdout).toEqual([0, '']);
  });

  const withoutAnnotations = ({ alert, expr, for: held, severity }: ReturnType<typeof readAlertRules>[number]) => ({
    alert,
    expr,
    ...(held === undefined ? {} : { for: held }),
    labels: { severity },
  });

  /** Of the first metric of the expression on the faulty instance; an alert has no metric's name. */
  function labelsOf(alert: string, series: readonly string[]): Record<string, string> {
    const { expr, severity } = readAlertRules().find((rule) => rule.alert === alert)!;
    const [name] = namesIn(expr);
    const own = series.find((each) => each.startsWith(`${name}{`) && each.includes('instance_id="faulty"'))!;
    const labels = Object.fromEntries([...own.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]));
    return { ...labels, severity };
  }
});

describe('contrib/grafana/weir-customer.json', () => {
  it("has the lesson's sections", () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual(['Overview', 'Resource', 'Instance', 'Database', 'Any metric']);
  });

  it('shows every metric of the catalogue, and asks for no other', () => {
    const own = ['weir_snapshot_timestamp_seconds', 'weir_group_last_push_timestamp_seconds'];
    const asked = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(filledIn(expr)))));
    expect([...asked].sort()).toEqual([...catalogue.map(({ name }) => name), ...own].sort());
  });

  it('follows data source, project and instance in every expression', () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'project', 'instance', 'metric']);
    expect(source).not.toMatch(/"uid": ?"(?!\$\{datasource\}|weir-customer)/);
    const expressions = [...panels.flatMap(({ targets }) => targets), ...dashboard.annotations.list];
    for (const { expr } of expressions) {
      for (const selector of expr.match(/\{[^}]*\}/g)!) {
        expect(selector, expr).toMatch(/project=~"\$project",instance_id=~"\$instance"\}$/);
      }
    }
  });

  it('leads from the overview to one instance and back, and to the four time ranges', () => {
    const overview = panels.filter(({ type }) => type === 'stat');
    expect(overview).toHaveLength(6);
    for (const { fieldConfig } of overview) {
      expect(fieldConfig.defaults.links!.map(({ url }) => url)).toEqual([
        expect.stringContaining(`var-instance=\${__field.labels.instance_id}`),
      ]);
    }
    expect(dashboard.links.map(({ title }) => title)).toEqual(['All instances', '1h', '6h', '24h', '7d']);
  });

  it('names each alert and each recording on the panel it is of', () => {
    const said = panels.map(({ description }) => description).join('\n');
    for (const { alert } of readAlertRules()) expect(said).toContain(alert);
    const { groups } = parse(readFileSync(rulesFile, 'utf8')) as {
      groups: { rules: { record?: string; expr: string }[] }[];
    };
    const records = groups.flatMap(({ rules }) => rules).filter(({ record }) => record !== undefined);
    const expanded = (expr: string): string =>
      records.reduce((text, { record, expr: inner }) => text.replaceAll(record!, `(${inner})`), expr);
    const plain = (expr: string): string =>
      expr
        .replaceAll(/\{[^}]*\}/g, '')
        .replaceAll('$__rate_interval', '5m')
        .replaceAll(/\s+/g, ' ')
        .trim();
    for (const { record, expr } of records) {
      const panel = panels.find(({ description }) => description.includes(`Recorded as ${record}`));
      expect(panel, record).toBeDefined();
      // Two recordings are of two lines of their panel together.
      if (panel!.targets.length === 1) expect(plain(expanded(expr)), record).toBe(plain(panel!.targets[0]!.expr));
    }
  });
});

describe('with a Prometheus that scrapes a gateway with the three instances', () => {
  let weir: WeirProcess;
  let prometheus: PrometheusProcess;
  let caFile: string;
  let secretFile: string;
  /** Replaces a line of the faulty instance's page. */
  let change = (page: string): string => page;

  beforeAll(async () => {
    const certificate = await writeDemoCertificate(programs.folder, Date.now());
    caFile = certificate.certFile;
    weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`]);
    await weir.createProject('acme');
    // Pages live as long as their groups: they are rendered anew every few seconds.
    for (const profile of profiles) await weir.createEndpoint('acme', profile, '--lifetime', '3s');
    const producer = await weir.createClient('acme', 'write:metrics');
    const scraper = await weir.createClient('acme', 'read:metrics');
    secretFile = weir.secretFile(scraper);
    startPushing(await weir.bearer(producer, '--ca-file', caFile));
    const config = parse(await snippet('prometheus'));
    const [job] = config.scrape_configs;
    const rules = join(programs.folder, 'rules.yml');
    writeFileSync(rules, readFileSync(rulesFile, 'utf8').replaceAll(/interval: \S+/g, 'interval: 1s'));
    const faster = { ...job, scrape_interval: '1s', scrape_timeout: '1s' };
    prometheus = await PrometheusProcess.start(
      programs,
      stringify({ rule_files: [rules], scrape_configs: [faster] }, { aliasDuplicateObjects: false }),
    );
    await prometheus.allUp();
  });

  async function snippet(tool: string): Promise<string> {
    const args = ['--project=acme', `--ca-file=${caFile}`, `--secret-file=${secretFile}`];
    return (await weir.command<{ text: string }>('snippet', tool, ...args)).text;
  }

  /** Half a minute of each instance's time, twice a second. */
  function startPushing(authorization: string): void {
    const instances = profiles.map((profile) => ({ profile, ...simulated(profile) }));
    programs.inRhythm(500, async () => {
      for (const { profile, page, pass } of instances) {
        pass(30);
        const body = profile === 'faulty' ? change(page()) : page();
        await securely({
          method: 'PUT',
          url: `${weir.url}/api/v1/acme/${profile}/metrics`,
          body,
          authorization,
          caFile,
        });
      }
    });
  }

  const hasData = (expr: string, instances: readonly string[]) =>
    eventually(
      `a number for ${expr}`,
      async () => {
        const series = await prometheus.query(filledIn(expr));
        const finite = series.filter(({ samples }) => Number.isFinite(samples.at(-1)!.value));
        const found = new Set(finite.map(({ labels }) => labels.instance_id));
        return finite.length > 0 && instances.every((instance) => found.has(instance)) ? series : undefined;
      },
      { withinMs: 30_000, everyMs: 500 },
    );

  it.each(panels.map((panel) => [panel.title, panel] as const))(
    'the panel %s has data of all of them',
    async (_, panel) => {
      for (const { expr, legendFormat } of panel.targets) {
        await hasData(expr, legendFormat.includes('instance_id') ? profiles : []);
      }
    },
  );

  it('the variables of the dashboard have values', async () => {
    const labels = async (expr: string, label: string) =>
      (await prometheus.query(expr)).map(({ labels: all }) => all[label]).sort();
    const by = (label: string) => labels(`count by (${label}) (weir_snapshot_timestamp_seconds{project=~".*"})`, label);
    expect(await by('project')).toEqual(['acme']);
    expect(await by('instance_id')).toEqual([...profiles].sort());
    const names = await labels('count by (__name__) ({project=~".*",instance_id=~".*",__name__=~".+"})', '__name__');
    expect(names).toEqual(expect.arrayContaining(catalogue.map(({ name }) => name)));
  });

  it('every rule is evaluated, and every alert stirs for the faulty instance alone', async () => {
    const alerts = readAlertRules().map(({ alert }) => alert);
    const stirring = await eventually('all alerts to stir', async () => {
      const series = await prometheus.query('ALERTS');
      return new Set(series.map(({ labels }) => labels.alertname)).size === alerts.length ? series : undefined;
    });
    expect(new Set(stirring.map(({ labels }) => labels.instance_id))).toEqual(new Set(['faulty']));
    const rules = await prometheus.rules();
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    for (const { name, type } of rules) if (type === 'recording') await hasData(name, profiles);
  });

  it("Datadog's check submits every metric of dashboard, monitors and metadata under its name", async () => {
    const [instance] = parse(await snippet('datadog'), { version: '1.1' }).instances;
    instance.auth_token.reader.client_secret = readFileSync(secretFile, 'utf8');
    const script = fileURLToPath(new URL('datadog_check.py', import.meta.url));
    const env = { REQUESTS_CA_BUNDLE: caFile, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false' };
    const run = await programs.run(datadogPython(), [script, JSON.stringify(instance)], {
      env,
      input: '{"clock_s": 0}\n',
    });
    const { metrics } = JSON.parse(run.stdout) as { metrics: { name: string; type: string; tags: string[] }[] };
    const ours = metrics.filter(({ name }) => name.startsWith('weir.neo4j'));
    expect(new Set(ours.map(({ tags }) => tags.find((tag) => tag.startsWith('project:'))))).toEqual(
      new Set(['project:acme']),
    );
    const submitted = new Map(ours.map(({ name, type }) => [name, type === 'monotonic_count' ? 'count' : type]));

    const [head, ...rows] = readFileSync('contrib/datadog/metadata.csv', 'utf8').trim().split('\n');
    expect(head!.split(',').slice(0, 2)).toEqual(['metric_name', 'metric_type']);
    expect(rows.map((row) => row.split(',').slice(0, 2))).toEqual([...submitted].sort(([a], [b]) => (a < b ? -1 : 1)));
    for (const file of ['dashboard', 'monitors']) {
      const named = readFileSync(`contrib/datadog/${file}.json`, 'utf8').match(/weir\.neo4j[\w.]+?(?=\{)/g)!;
      expect(named.length).toBeGreaterThan(5);
      expect(named.filter((name) => !submitted.has(name))).toEqual([]);
    }
  });

  it('a restart is an annotation', async () => {
    const { expr } = dashboard.annotations.list[0]!;
    expect(await prometheus.query(filledIn(expr))).toEqual([]);
    change = (page) => page.replace(/^(neo4j_dbms_bolt_connections_opened_total\{.*\}) .*$/m, '$1 1');
    const [restart] = await hasData(expr, ['faulty']);
    expect(restart!.labels).toEqual({ project: 'acme', instance_id: 'faulty' });
  });
});

describe('contrib/datadog', () => {
  it('has a monitor for each alert, with its threshold in the query', () => {
    const monitors = JSON.parse(readFileSync('contrib/datadog/monitors.json', 'utf8')) as {
      name: string;
      type: string;
      query: string;
      message: string;
      options: { thresholds: { critical: number } };
    }[];
    expect(monitors.map(({ name }) => name.split(' ')[0])).toEqual(readAlertRules().map(({ alert }) => alert));
    for (const { name, query, type, message, options } of monitors) {
      expect([type, query.split(/ [<>] /)[1]], name).toEqual(['query alert', String(options.thresholds.critical)]);
      expect(query, name).toMatch(/^(min|max|sum)\(last_\d+m\):.* by \{instance_id\}/);
      expect(message, name).toContain(`docs/alerts.md#${name.split(' ')[0]!.toLowerCase()}`);
      const { expr } = readAlertRules().find(({ alert }) => name.startsWith(alert))!;
      expect(Number(/[<>] ([\d.]+)$/.exec(expr)![1]), name).toBe(options.thresholds.critical);
    }
  });
});
