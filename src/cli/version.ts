import { existsSync, readFileSync } from 'node:fs';
import type { BuildInfo } from '../telemetry/gateway-metrics.js';

/** The version of package.json, and the revision if the build wrote one. */
export function buildInfo(): BuildInfo {
  const { version } = JSON.parse(readFileSync(findUp('package.json'), 'utf8')) as { version: string };
  const revisionFile = new URL('../../revision.txt', import.meta.url);
  const revision = existsSync(revisionFile) ? readFileSync(revisionFile, 'utf8').trim() : 'unknown';
  return { version, revision };
}

/** The package's file: two folders up from the sources, three from what is built of them. */
function findUp(name: string): URL {
  for (const folder of ['../../', '../../../']) {
    const url = new URL(folder + name, import.meta.url);
    if (existsSync(url)) return url;
  }
  throw new Error(`${name} is missing from the installation`);
}
