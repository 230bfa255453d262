import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, so that none of them is begun last while nothing else is left. */
const slowestFirst = [
  'prometheus',
  'bad-backends',
  'demo',
  'snippets',
  'customer-kit',
  'validation',
  'revocation',
  'rotation',
  'datadog',
  'prometheus-example',
  'restart',
];

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = slowestFirst.indexOf(basename(moduleId, '.test.ts'));
      return at < 0 ? slowestFirst.length : at;
    };
    return files.toSorted((a, b) => place(a) - place(b));
  }
}

/** Suites that start real programs (Prometheus, promtool, Python), each in its own folder and on its own ports. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: 'test/e2e/setup.ts',
    // One more than the cores of a small machine: most of the time is waiting for scrapes.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // Some promises are about wall time ("within a second"), and a shared machine may stand still that long.
    ...(process.env.CI ? { reporters: ['default', 'json'], retry: 2 } : {}),
    outputFile: { json: '.e2e/summary-e2e.json' },
  },
});
