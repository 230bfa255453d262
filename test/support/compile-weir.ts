import { mkdirSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Programs } from './programs.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** `weir`, compiled from the tree as it is now: what is tested is what users run, and never an old build. */
export async function compileWeir(programs: Programs): Promise<string> {
  mkdirSync(join(root, '.e2e'), { recursive: true });
  const folder = await mkdtemp(join(root, '.e2e', 'run-'));
  programs.atEnd(() => rm(folder, { recursive: true, force: true }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const project = join(root, 'tsconfig.build.json');
  const compiled = await programs.run(process.execPath, [tsc, '-p', project, '--outDir', folder]);
  if (compiled.status !== 0) throw new Error(`weir does not compile:\n${compiled.stdout}`);
  await cp(join(root, 'db/migrations'), join(folder, 'db/migrations'), { recursive: true });
  // The demo's alerts, which a package has beside `dist`.
  await cp(join(root, 'contrib'), join(folder, 'contrib'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  return join(folder, 'src/cli/weir.js');
}
