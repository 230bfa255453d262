import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Programs } from './programs.js';

/** The clocks of a Node process, to be moved while it runs: an hour need not be waited for. */
export interface MovedClock {
  /** What the process is to be started with. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on it is so many seconds later there than here. */
  move(seconds: number): void;
}

export function movedClock(programs: Programs): MovedClock {
  const file = join(programs.folder, 'clock-seconds');
  const preload = join(programs.folder, 'moved-clock.cjs');
  const move = (seconds: number): void => writeFileSync(file, String(seconds));
  move(0);
  writeFileSync(
    preload,
    `const { readFileSync } = require('node:fs');
const movedMs = () => Number(readFileSync(${JSON.stringify(file)}, 'utf8')) * 1000;
for (const clock of [Date, performance]) {
  const now = clock.now.bind(clock);
  clock.now = () => now() + movedMs();
}
`,
  );
  return { env: { NODE_OPTIONS: `--require=${preload}` }, move };
}
