// The last line of a CI run: how many tests passed and failed over all suites, from the summaries they wrote.
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../.e2e/', import.meta.url);
let passed = 0;
let failed = 0;
for (const file of readdirSync(folder).filter((name) => /^summary-.*\.json$/.test(name))) {
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  passed += numPassedTests;
  failed += numFailedTests;
}
console.log(`${passed} passed, ${failed} failed`);
if (passed === 0 || failed > 0) process.exitCode = 1;
