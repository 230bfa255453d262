import { curlLines } from '../snippets/curl.js';
import { shellWord } from '../snippets/quote.js';
import { readAlertRules } from './alert-rules.js';
import { catalogue } from './catalogue.js';
import type { DemoInstance } from './instances.js';

export interface GuideOptions {
  readonly publicUrl: string;
  readonly operatorUrl: string;
  readonly projectId: string;
  readonly instances: readonly (DemoInstance & { readonly metricsId: string })[];
  /** The client that may `read:metrics`. */
  readonly clientId: string;
  /** Where its secret is. */
  readonly secretFile: string;
  readonly folder: string;
  /** Whether the folder outlives the demo. */
  readonly keep: boolean;
  readonly prometheusFile: string;
  /** Of the Prometheus that runs beside the demo, if one does. */
  readonly prometheusUrl?: string;
  readonly caFile?: string;
  /** As a duration is written. */
  readonly interval: string;
  /** Whether curl would send requests for this machine to a proxy. */
  readonly behindProxy: boolean;
}

/** All that a newcomer needs to look around. The three lines that begin with `curl` work when pasted alone. */
export function guide(options: GuideOptions): string {
  const { publicUrl, operatorUrl, folder, keep, projectId, instances, interval, caFile } = options;
  const faulty = instances.find(({ profile }) => profile === 'faulty')!;
  const curl = linesOfCurl(options, faulty.metricsId);
  return `
Running, until you press Ctrl-C:

${columns([
  ['gateway', publicUrl, 'tokens, pushes and pages'],
  ['operator', operatorUrl, "the gateway's own /metrics, /-/healthy, /-/ready"],
  [
    'folder',
    folder,
    `SQLite database, prometheus.yml and the client's secret; ${keep ? 'kept' : 'removed'} at the end`,
  ],
  ...(caFile === undefined ? [] : [['certificate', caFile, 'made for this run; clients must be told to trust it']]),
])}

Project "${projectId}" has ${instances.length} simulated instances. Each pushes ${catalogue.length} metrics every ${interval}:

${columns([['NAME', 'METRICS ID', 'STATE'], ...instances.map(({ name, metricsId, state }) => [name, metricsId, state])])}

Paste any of these into another terminal.

A token, as a scraper gets it:
${curl.token}

The page of ${faulty.name}:
${curl.endpointPage}

The page of the whole project (a page is at most 30 s old):
${curl.projectPage}

${prometheusPart(options)}

The fault is in ${faulty.name}. These alerts of that Prometheus will find it:

${columns(readAlertRules().map(({ alert, when, for: held }) => [alert, when, held === undefined ? 'at once' : `for ${held}`]))}

For a gateway of your own, see README.md and prometheus-example.yml.
Ctrl-C stops the demo${keep ? '' : ' and removes its folder'}.
`;
}

/** How to start one, or where to look in the one that runs. */
function prometheusPart({ prometheusUrl, prometheusFile }: GuideOptions): string {
  if (prometheusUrl === undefined) {
    return `Prometheus, which will show it all at http://127.0.0.1:9090 (or end the demo, and add --prometheus):
prometheus --config.file=${shellWord(prometheusFile)}`;
  }
  const query = new URLSearchParams({
    'g0.expr': 'neo4j_aura_cpu_usage / neo4j_aura_cpu_limit',
    'g0.tab': '0',
    'g0.range_input': '15m',
  });
  return `Prometheus scrapes it. In a browser:

${columns([
  ['targets', `${prometheusUrl}/targets`, 'up, after the first scrape'],
  ['chart', `${prometheusUrl}/graph?${query}`, 'CPU of the instances'],
  ['alerts', `${prometheusUrl}/alerts`, 'what the fault trips'],
])}`;
}

/** The curl snippet's lines, for one instance and for all of them. */
function linesOfCurl(options: GuideOptions, metricsId: string) {
  const { publicUrl: gatewayUrl, projectId, clientId, secretFile, caFile, behindProxy: noProxy } = options;
  const facts = { gatewayUrl, projectId, clientId, secretFile, caFile, noProxy, intervalSeconds: 30 } as const;
  const [endpointPage] = curlLines({ ...facts, metricsIds: [metricsId] }).pages;
  const {
    token,
    pages: [projectPage],
  } = curlLines({ ...facts, metricsIds: [] });
  return { token, endpointPage, projectPage };
}

/** Whether the environment names a proxy that curl would take for a URL of this machine. */
export function curlUsesProxy(env: Readonly<Record<string, string | undefined>>, scheme: 'http' | 'https'): boolean {
  // curl reads HTTP_PROXY in lower case only.
  const names = scheme === 'http' ? ['http_proxy'] : ['https_proxy', 'HTTPS_PROXY'];
  return [...names, 'all_proxy', 'ALL_PROXY'].some((name) => (env[name] ?? '') !== '');
}

/** Lines of aligned columns, indented. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => `  ${row.map((text, column) => text.padEnd(widths[column]!)).join('  ')}`.trimEnd())
    .join('\n');
}
