import { defineConfig } from 'vitest/config';

/** Suites that start real programs (Prometheus, promtool, Python): one file at a time, they are heavy. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Some promises are about wall time ("within a second"), and a shared machine may stand still that long.
    ...(process.env.CI ? { reporters: ['default', 'json'], retry: 2 } : {}),
    outputFile: { json: '.e2e/summary-e2e.json' },
  },
});
