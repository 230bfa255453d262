// Writes the table of the gateway's metrics into docs/telemetry.md: npx tsx scripts/metrics-table.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { gatewayDefinitions } from '../src/telemetry/gateway-definitions.js';
import {
  defaultBuckets,
  type MetricDefinition,
  ownDefinitions,
  pageName,
} from '../src/telemetry/metrics/definition.js';

const page = new URL('../docs/telemetry.md', import.meta.url);
const [begin, end] = ['<!-- the table begins: npx tsx scripts/metrics-table.ts -->\n', '<!-- the table ends -->\n'];

/** Every family the page can have, and what it means. */
export const allDefinitions: Readonly<Record<string, MetricDefinition>> = { ...gatewayDefinitions, ...ownDefinitions };

/** The page as it should be. */
export function withTable(text: string): string {
  const [before, after] = [text.split(begin)[0]!, text.split(end)[1]!];
  const rows = Object.entries(allDefinitions).map(([key, definition]) => row(key, definition));
  const head = '| on the page | key | type | labels | meaning |\n| --- | --- | --- | --- | --- |\n';
  return `${before}${begin}\n${head}${rows.join('')}\n${bucketsText()}\n${end}${after}`;
}

function row(key: string, definition: MetricDefinition): string {
  const { type, labels = [], help } = definition;
  const label = labels.map((name) => `\`${name}\``).join(', ');
  return `| \`${pageName('weir.', key, definition)}\` | \`${key}\` | ${type} | ${label} | ${help} |\n`;
}

/** Timings and distributions with the same buckets share a line. */
function bucketsText(): string {
  const users = new Map<string, string[]>();
  for (const [key, definition] of Object.entries(allDefinitions)) {
    const { type, buckets } = definition;
    if (type !== 'timing' && type !== 'distribution') continue;
    const list = (buckets ?? defaultBuckets[type]).join(', ');
    users.set(list, [...(users.get(list) ?? []), `\`${pageName('weir.', key, definition)}\``]);
  }
  const lines = [...users].map(([list, names]) => `- ${names.join(', ')}: ${list}\n`);
  return `Buckets, timings in seconds:\n\n${lines.join('')}`;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  writeFileSync(page, withTable(readFileSync(page, 'utf8')));
}
