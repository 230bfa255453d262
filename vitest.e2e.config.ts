import { defineConfig } from 'vitest/config';

/** Suites that start real programs (Prometheus, promtool, Python), each in its own folder and on ports the system chooses. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: 'test/e2e/setup.ts',
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Some promises are about wall time ("within a second"), and a shared machine may stand still that long.
    ...(process.env.CI ? { reporters: ['default', 'json'], retry: 2 } : {}),
    outputFile: { json: '.e2e/summary-e2e.json' },
  },
});
