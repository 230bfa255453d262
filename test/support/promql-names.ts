import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { allDefinitions } from '../../scripts/metrics-table.js';
import { pageName } from '../../src/telemetry/metrics/definition.js';

/** Every name of a series that the operator page can have: with `_bucket`, `_sum` and `_count` of histograms. */
export const operatorSeriesNames: ReadonlySet<string> = seriesNames();

function seriesNames(): Set<string> {
  const names = new Set<string>();
  const add = (name: string, isHistogram: boolean): void => {
    for (const ending of isHistogram ? ['_bucket', '_sum', '_count'] : ['']) names.add(`${name}${ending}`);
  };
  for (const [key, definition] of Object.entries(allDefinitions)) {
    add(pageName('weir.', key, definition), definition.type === 'timing' || definition.type === 'distribution');
  }
  const processes = new Registry();
  collectDefaultMetrics({ register: processes });
  for (const metric of processes.getMetricsAsArray()) {
    // The page leaves these out.
    if (/^nodejs_active_.*_total$/.test(metric.name)) continue;
    add(metric.name, metric instanceof Histogram);
  }
  processes.clear();
  return names;
}

/** The metric names of a PromQL expression: not its functions, keywords, labels, texts and durations. */
export function namesIn(expression: string): string[] {
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replace(/\b(offset)\s+\S+/g, ' ');
  const words = bare.match(/[A-Za-z_:][\w:]*(?!\w)(?!\s*\()/g) ?? [];
  return [...new Set(words.filter((word) => !keywords.includes(word) && !/^(inf|nan)$/i.test(word)))];
}

const keywords = ['and', 'or', 'unless', 'bool', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];
