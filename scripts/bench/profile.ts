import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Where the main thread of each profiled process spent its time, by the function itself, idle time left out. */
export function summarizeProfiles(folder: string, most = 30): string {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .sort()
    .map((file) => `${file}\n${summarize(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile, most)}`)
    .join('\n');
}

function summarize({ nodes, samples, timeDeltas }: CpuProfile, most: number): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const micros = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of samples.entries()) {
    const name = names.get(id)!;
    const delta = timeDeltas[i]!;
    if (name === '(idle)' || delta < 0) continue;
    busy += delta;
    micros.set(name, (micros.get(name) ?? 0) + delta);
  }
  const top = [...micros].sort(([, a], [, b]) => b - a).slice(0, most);
  return top.map(([name, time]) => `  ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${name}\n`).join('');
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const file = url.split('/').slice(-3).join('/');
  return `${functionName || '(anonymous)'}${file === '' ? '' : `  ${file}:${lineNumber + 1}`}`;
}
