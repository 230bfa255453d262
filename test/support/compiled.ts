import { execFile } from 'node:child_process';
import { cp, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Plugin } from 'vitest/config';
import type { TestProject, Vitest } from 'vitest/node';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = join(root, '.e2e', `unit-${process.pid}`);

/** Files of this run's compilation, which Node itself loads. */
export const isCompiled = /\/\.e2e\/unit-\d+\//;

/** Whoever watches sees each change at once, and coverage is counted in what was written. */
const isUsed = ({ config }: Vitest): boolean => !config.watch && !config.coverage.enabled;

/** Compiles `src` and `db` as they are now, once for all workers. Types are checked elsewhere. */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!isUsed(vitest)) return undefined;
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'tsconfig.build.json');
  const options = ['--noCheck', '--declaration', 'false', '--outDir', folder];
  await promisify(execFile)(process.execPath, [tsc, '-p', project, ...options]);
  for (const beside of ['db/migrations', 'contrib', 'package.json']) {
    await cp(join(root, beside), join(folder, beside), { recursive: true });
  }
  return () => rm(folder, { recursive: true, force: true });
}

/**
 * Tests get `src` as Node runs it. As Vite runs it each import is asked for anew wherever it is used, which makes loops
 * over bytes several times slower than what users run, and each worker waits for each module.
 */
export function compiled(): Plugin {
  let used = false;
  return {
    name: 'compiled',
    enforce: 'pre',
    configureVitest: ({ vitest }) => {
      used = isUsed(vitest);
    },
    resolveId: (source, importer) => {
      if (!used || importer === undefined || !source.startsWith('.')) return undefined;
      const path = relative(root, join(dirname(importer), source));
      return /^(src|db)\/.*\.js$/.test(path) ? join(folder, path) : undefined;
    },
  };
}
