import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { demoInstances } from '../../src/demo/instances.js';
import { eventually, Programs, promtoolProgram, type RunningProgram } from '../support/programs.js';

/** The lines of docs/validation.md, as they are, against the demo: only its addresses and its folder are other ones. */
const programs = new Programs();
afterAll(() => programs.end());

const page = readFileSync('docs/validation.md', 'utf8');
/** By the number of their step; 0 starts the demo. */
const steps = page
  .split(/^## (?=\d)/m)
  .map((part) => [...part.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block]) => block!.trim().split('\n')));
const folder = join(programs.folder, 'weir-demo');

let demo: RunningProgram;
let prometheusUrl: string;

beforeAll(async () => {
  expect(steps[0]).toEqual(['npm run demo -- --prometheus --dir weir-demo']);
  const ports = [
    '--web.listen-address=127.0.0.1:0',
    '--operator.listen-address=127.0.0.1:0',
    '--prometheus=127.0.0.1:0',
  ];
  const args = [inject('weir'), 'demo', ...ports, '--dir', folder, '--interval=2s'];
  demo = programs.start(process.execPath, args, { env: { PATH: `${dirname(promtoolProgram())}:${process.env.PATH}` } });
  const told = () => (demo.stdout.includes('Ctrl-C stops the demo') ? true : undefined);
  await eventually('the guide', told, { during: demo });
  prometheusUrl = /^ {2}targets +(\S+)\/targets/m.exec(demo.stdout)![1]!;
});

/** Runs the line until it prints what is expected: scrapes and evaluations come when they come. */
const run = (line: string, isDone: (stdout: string) => boolean) =>
  eventually(
    line,
    async () => {
      const command = line.replaceAll('http://127.0.0.1:9090', prometheusUrl).replace(/^promtool/, promtoolProgram());
      const { status, stdout, stderr } = await programs.run('bash', ['-c', command]);
      if (status !== 0) throw new Error(`${line} ended with ${status}: ${stderr}${stdout}`);
      return isDone(stdout) ? stdout : undefined;
    },
    // The faulty instance takes up to three minutes from one out-of-memory error to the next.
    { withinMs: 300_000, everyMs: 1000, during: demo },
  );
const linesOf = (stdout: string): string[] => stdout.trim().split('\n').filter(Boolean);
const ofAll = (stdout: string): boolean => linesOf(stdout).length === demoInstances.length;

describe('docs/validation.md', () => {
  it('1: the target is up, without an error', async () => {
    const [up, errors, ...others] = steps[1]!;
    expect(others).toEqual([]);
    expect(await run(up!, (stdout) => / => 1 @/.test(stdout))).toMatch(/^up\{.*project="demo".*\} => 1 @/);
    expect(linesOf(await run(errors!, (stdout) => stdout !== ''))).toEqual(['"lastError":""', '"lastError":""']);
  });

  it('2: a query has data of now', async () => {
    const [usage, age, ...others] = steps[2]!;
    expect(others).toEqual([]);
    await run(usage!, ofAll);
    const ages = linesOf(await run(age!, ofAll)).map((line) => Number(/ => ([\d.]+) @/.exec(line)![1]));
    for (const seconds of ages) expect(seconds).toBeLessThan(90);
  });

  it('3: a chart has points', async () => {
    const [range, ...others] = steps[3]!;
    expect(others).toEqual([]);
    await run(range!, (stdout) => (stdout.match(/^\{/gm) ?? []).length === demoInstances.length && / @\[/.test(stdout));
  });

  it('4: an alert fires, for healthy instances too once its threshold is lower, and resolves', async () => {
    const [firing, lower, reload, lowered, restore, again, gone, ...others] = steps[4]!;
    expect(others).toEqual([]);
    await run(firing!, (stdout) => linesOf(stdout).length === 1);
    const here = (line: string): string => line.replaceAll('weir-demo', folder);
    await run(here(lower!), () => true);
    await run(reload!, () => true);
    await run(lowered!, ofAll);
    await run(here(restore!), () => true);
    await run(again!, () => true);
    await run(gone!, (stdout) => linesOf(stdout).length <= 1);
  }, 600_000);
});
