import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { cardinalityBench } from './cardinality.js';
import { type Bench, quick, type Result, say, thorough } from './harness.js';
import { memoryBench } from './memory.js';
import { millionBench } from './million.js';
import { summarizeProfiles } from './profile.js';
import { pushBench } from './push.js';
import { remoteWriteBench } from './remote-write.js';
import { renderBench } from './render.js';
import { scrapeBench } from './scrape.js';
import { streamsBench } from './streams.js';
import { telemetryBench } from './telemetry.js';
import { tokensBench } from './tokens.js';
import { build, profileGateways } from './weir.js';

const benches = {
  scrape: scrapeBench,
  render: renderBench,
  push: pushBench,
  memory: memoryBench,
  'remote-write': remoteWriteBench,
  tokens: tokensBench,
  telemetry: telemetryBench,
  streams: streamsBench,
  cardinality: (effort) => cardinalityBench(Number(values.values ?? (effort === quick ? 100_000 : 1_000_000)))(effort),
  million: millionBench,
} satisfies Readonly<Record<string, Bench>> as Readonly<Record<string, Bench>>;

const usage = `npm run bench -- [--quick] [--only ${Object.keys(benches).join('|')}]… [--profile]
  --quick    two minutes, and less exact
  --only     these only; nothing is written
  --values   how many label values the cardinality bomb sends; 1000000 unless said, 100000 with --quick
  --profile  shows where the gateways spend their time; slows them, so the ratios mean nothing and are not written`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    profile: { type: 'boolean', default: false },
    values: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const unknown = values.only.filter((name) => benches[name] === undefined);
if (values.help || unknown.length > 0) {
  process.stdout.write(`${usage}\n`);
  process.exit(values.help ? 0 : 1);
}

const effort = values.quick ? quick : thorough;
const longestMinutes = (values.quick ? 8 : 28) + Number(values.values ?? 0) / 1e6;
setTimeout(() => {
  say(`this took more than ${longestMinutes} minutes: the machine is too busy to be measured`);
  process.exit(1);
}, longestMinutes * 60_000).unref();

build();
const profiles = values.profile ? profileGateways() : undefined;
const results: Result[] = [];
let failed = false;
for (const [name, bench] of Object.entries(benches)) {
  if (values.only.length > 0 && !values.only.includes(name)) continue;
  say(`${name}: load average ${loadavg()[0]!.toFixed(1)} (the bench itself makes 2)`);
  try {
    results.push(...(await bench(effort)));
  } catch (error) {
    failed = true;
    say(`\n${name} COULD NOT BE MEASURED: ${(error as Error).message}\n`);
  }
}

for (const result of results) process.stdout.write(shown(result));
if (profiles !== undefined) process.stdout.write(`\n${summarizeProfiles(profiles)}`);
else if (values.only.length === 0 && !failed) {
  const promises = results.filter(({ target }) => target !== undefined);
  writeFileSync('bench-results.json', `${JSON.stringify(promises, null, 2)}\n`);
  say('written to bench-results.json');
}
process.exit(failed ? 1 : 0);

function shown({ name, what, ratio, target, better, holds, unit, runs, detail }: Result): string {
  const sign = better === 'lower' ? '<=' : '>=';
  const verdict =
    target === undefined ? 'for information' : `${holds ? 'holds' : 'MISSED'}: target ${sign} ${target} ${unit}`;
  const spread = `${Math.min(...runs)} to ${Math.max(...runs)} in ${runs.length} rounds`;
  return `${name}: ${ratio} ${unit} (${verdict})\n    ${what}\n    ${spread}; ${detail}\n`;
}
