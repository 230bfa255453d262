// What the compiler does not copy into dist: the migrations; and the revision that `weir --version` shows.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';

mkdirSync('dist/db', { recursive: true });
cpSync('db/migrations', 'dist/db/migrations', { recursive: true });
chmodSync('dist/src/cli/weir.js', 0o755);
try {
  const revision = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] });
  writeFileSync('dist/revision.txt', revision);
} catch {
  // Not a clone, or nothing committed yet: the revision stays unknown.
}
