import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { compiled, isCompiled } from './test/support/compiled.js';

const exclude = ['test/e2e/**', '**/node_modules/**'];
/** They replace or reload modules for everything in their process. */
const replacingModules = [
  'test/durability/full-disk.test.ts',
  'test/durability/refusals.test.ts',
  'test/formats/room.test.ts',
];

/** What each project has to be told by itself. */
const all = {
  setupFiles: ['test/support/properties.ts'],
  // For tests that hang, not for slow machines.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: { poll: { timeout: 20_000 } },
  // Some promises are about wall time ("within a second"), and a shared machine may stand still that long.
  retry: process.env.CI ? 2 : 0,
};

export default defineConfig({
  test: {
    globalSetup: 'test/support/compiled.ts',
    // Tests wait a third of their time: for sockets, the disk, a process they started.
    maxWorkers: availableParallelism() + 2,
    ...(process.env.CI ? { reporters: ['default', 'json'] } : {}),
    outputFile: { json: process.env.UNIT_TEST_SUMMARY ?? '.e2e/summary-unit.json' },
    projects: [
      {
        plugins: [compiled()],
        test: {
          server: { deps: { external: [isCompiled] } },
          execArgv: ['--enable-source-maps'],
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...exclude, ...replacingModules],
          ...all,
          // Loading every module anew for each file takes longer than most files.
          isolate: false,
        },
      },
      { test: { name: 'replacing modules', include: replacingModules, ...all } },
    ],
  },
});
