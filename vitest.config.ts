import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', '**/node_modules/**'],
    testTimeout: 20_000,
    ...(process.env.CI ? { reporters: ['default', 'json'] } : {}),
    outputFile: { json: process.env.WEIR_TEST_SUMMARY ?? '.e2e/summary-unit.json' },
  },
});
