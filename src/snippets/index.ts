import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import { alloy } from './alloy.js';
import { cloudwatch, otelcol } from './collector.js';
import { curl } from './curl.js';
import { datadog } from './datadog.js';
import { grafanaCloud } from './grafana-cloud.js';
import { newrelic, newrelicOtlp } from './newrelic.js';
import { node } from './node.js';
import { prometheus, prometheusJwt, prometheusSd } from './prometheus.js';
import { python } from './python.js';
import type { Snippet } from './snippet.js';
import { telegraf } from './telegraf.js';
import { vmagent } from './vmagent.js';

/** Every tool there is a snippet for, in the order in which they are listed. */
export const snippets: readonly Snippet[] = [
  prometheus,
  prometheusSd,
  prometheusJwt,
  alloy,
  vmagent,
  otelcol,
  datadog,
  newrelic,
  newrelicOtlp,
  grafanaCloud,
  telegraf,
  cloudwatch,
  curl,
  python,
  node,
];

export function snippetOf(tool: string): Snippet {
  const found = snippets.find((snippet) => snippet.tool === tool);
  if (found !== undefined) return found;
  const names = snippets.map((snippet) => snippet.tool).join(', ');
  throw new WeirError('not_found', `There is no snippet for "${printable(tool)}"; there are ${names}.`);
}
