import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs, promtoolProgram } from '../support/programs.js';
import {
  clashingGroups,
  forbiddenGroups,
  oddGroups,
  openMetricsGroups,
  plainGroups,
} from '../support/pushed-corpus.js';
import {
  type ExpectedSample,
  expectedSamples,
  groupPath,
  type PushedGroup,
  pushBody,
  sorted,
} from '../support/pushed-families.js';
import { randomGroups } from '../support/pushed-random.js';
import { readWithPython } from '../support/python-reader.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

const formats = ['text', 'openmetrics'] as const;
type Format = (typeof formats)[number];

/** By the metricsId of the endpoint they are pushed to: a page that is refused says where to look. */
const fixed: Readonly<Record<string, readonly PushedGroup[]>> = {
  plain: plainGroups,
  openmetrics: openMetricsGroups,
  forbidden: forbiddenGroups,
  clashing: clashingGroups,
  empty: [],
};
/** What may be refused: of these, what was accepted. */
const accepted = new Map<string, PushedGroup[]>([['odd', [...oddGroups]]]);
for (let seed = 1; seed <= 6; seed++) accepted.set(`random${seed}`, randomGroups(seed, 12));
const metricsIds = [...Object.keys(fixed), ...accepted.keys()];
const paths = [...metricsIds.map((metricsId) => `acme/${metricsId}/metrics`), 'acme/metrics'];
const pages = new Map<string, string>();
let operatorPage: string;

beforeAll(async () => {
  const weir = await WeirProcess.start(programs);
  await weir.createProject('acme', ...metricsIds);
  const bearer = await weir.bearer(await weir.createClient('acme', 'read:metrics', 'write:metrics'));
  const push = (metricsId: string, group: PushedGroup): Promise<void> =>
    weir.push(`acme/${metricsId}/metrics${groupPath(group)}`, pushBody(group), bearer, group);
  for (const [metricsId, groups] of Object.entries(fixed)) for (const group of groups) await push(metricsId, group);
  for (const [metricsId, groups] of accepted) {
    const kept: PushedGroup[] = [];
    for (const group of groups) await push(metricsId, group).then(() => kept.push(group), mustBeRefusal);
    accepted.set(metricsId, kept);
  }
  for (const path of paths) {
    for (const format of formats) pages.set(`${path} ${format}`, await weir.page(path, bearer, format));
  }
  operatorPage = await weir.operatorPage();
});

function mustBeRefusal(error: Error): void {
  if (!error.message.includes(' gave 400')) throw error;
}

const pageOf = (path: string, format: Format): string => pages.get(`${path} ${format}`)!;

describe.each(formats)("Python's parser of %s", (format) => {
  const read = (path: string): Promise<ExpectedSample[]> => readWithPython(programs, format, pageOf(path, format));
  const expected = (metricsId: string, groups: readonly PushedGroup[]): ExpectedSample[] =>
    groups
      .flatMap((group) => expectedSamples(group, metricsId, format))
      .map((each) => (format === 'text' ? asPythonNamesIt(each) : each));

  it.each(Object.keys(fixed))('reads back exactly what was pushed: endpoint %s', async (metricsId) => {
    const found = await read(`acme/${metricsId}/metrics`);
    expect(sorted(found)).toEqual(sorted(expected(metricsId, fixed[metricsId]!)));
  });

  it.each([...accepted.keys()])('reads back every series that was accepted: endpoint %s', async (metricsId) => {
    const groups = accepted.get(metricsId)!;
    expect(groups.length).toBeGreaterThan(0);
    const found = await read(`acme/${metricsId}/metrics`);
    expect(sorted(found).map(series)).toEqual(sorted(expected(metricsId, groups)).map(series));
  });

  it('reads back all of them from the project page', async () => {
    const all = [...Object.entries(fixed), ...accepted].flatMap(([metricsId, groups]) => expected(metricsId, groups));
    const found = await read('acme/metrics');
    expect(sorted(found).map(series)).toEqual(sorted(all).map(series));
  });
});

/** Without its type and what else other families of a page may take from it. */
const series = ({ name, labels, value }: ExpectedSample) => ({ name, labels, value });

/** Python's reader of the text format adds `_total` to the samples of a counter without it. */
const asPythonNamesIt = (expected: ExpectedSample): ExpectedSample =>
  expected.type === 'counter' && !expected.name.endsWith('_total')
    ? { ...expected, name: `${expected.name}_total` }
    : expected;

/** What promtool has against names that were pushed so on purpose. */
const remarks: Readonly<Record<string, readonly string[]>> = {
  plain: [": metric names should not contain ':'", "job:requests:rate5m metric names should not contain ':'"],
  openmetrics: [],
  forbidden: [
    'hits counter metrics should have "_total" suffix',
    'open_total non-counter metrics should not have "_total" suffix',
    'thing_bucket non-histogram metrics should not have "_bucket" suffix',
  ],
  clashing: [],
  empty: [],
};
const noHelp = ' no help text';

describe('promtool check metrics', () => {
  const check = (input: string) => programs.run(promtoolProgram(), ['check', 'metrics'], { input });
  /** 3 is its exit status for a page that it could parse and has remarks on. */
  const parsed = [0, 3];

  it.each(Object.keys(fixed))('has remarks only on what was pushed so: endpoint %s', async (metricsId) => {
    const { status, stdout, stderr } = await check(pageOf(`acme/${metricsId}/metrics`, 'text'));
    expect(parsed, stderr).toContain(status);
    expect(stdout).toBe('');
    const lines = stderr.split('\n').filter((line) => line !== '');
    expect(status).toBe(lines.length === 0 ? 0 : 3);
    expect(lines.filter((line) => !line.endsWith(noHelp))).toEqual(remarks[metricsId]);
    const helpless = lines.filter((line) => line.endsWith(noHelp)).map((line) => line.slice(0, -noHelp.length));
    const names = fixed[metricsId]!.flatMap((group) => namesWithoutHelp(group, metricsId));
    expect(helpless.filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(paths)('parses %s', async (path) => {
    const { status, stderr } = await check(pageOf(path, 'text'));
    expect(parsed, stderr).toContain(status);
    expect(stderr).not.toMatch(/^weir_/m);
  });

  it("has no remark on the operator's page", async () => {
    expect(await check(operatorPage)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

/** The names in text under which a family without help may be shown. */
const namesWithoutHelp = (group: PushedGroup, metricsId: string): string[] => [
  ...group.families.filter(({ help }) => help === undefined).map(({ name }) => name),
  ...expectedSamples(group, metricsId, 'text').flatMap(({ name, help }) => (help === '' ? [name] : [])),
];
