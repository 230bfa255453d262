import { defineConfig } from 'vitest/config';

/** Suites that start real programs (Prometheus, promtool, Python): one file at a time, they are heavy. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    ...(process.env.CI ? { reporters: ['default', 'json'] } : {}),
    outputFile: { json: '.e2e/summary-e2e.json' },
  },
});
