import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', '**/node_modules/**'],
    testTimeout: 20_000,
    // Some promises are about wall time ("within a second"), and a shared machine may stand still that long.
    ...(process.env.CI ? { reporters: ['default', 'json'], retry: 2 } : {}),
    outputFile: { json: process.env.UNIT_TEST_SUMMARY ?? '.e2e/summary-unit.json' },
  },
});
