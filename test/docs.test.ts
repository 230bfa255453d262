import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const pages = [
  'README.md',
  'contrib/datadog/README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** What GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replace(/\s/g, '-');
const anchorsIn = (text: string): string[] => [
  ...[...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!)),
  ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id!),
];

describe('the documentation', () => {
  it.each(pages)('%s links to files and headings that are there', (page) => {
    const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [file, anchor] = link!.split('#') as [string, string?];
      const target = file === '' ? page : join(dirname(page), file);
      expect(existsSync(target), `${page}: ${link}`).toBe(true);
      if (anchor !== undefined) expect(anchorsIn(readFileSync(target, 'utf8')), `${page}: ${link}`).toContain(anchor);
    }
  });

  it('has the commands of runbooks in blocks of code, from the first line on', () => {
    const runbooks = readdirSync('docs/runbooks').filter((file) => file !== 'README.md');
    const first = (file: string) =>
      /^## How to look\n\n(.*)/m.exec(readFileSync(join('docs/runbooks', file), 'utf8'))?.[1];
    expect(runbooks.filter((file) => !/^ {4}\S/.test(first(file) ?? ''))).toEqual([]);
  });

  it('has every page in its index', () => {
    const index = readFileSync('docs/README.md', 'utf8');
    const missing = readdirSync('docs').filter((file) => file !== 'README.md' && !index.includes(`](${file}`));
    expect(missing).toEqual([]);
  });
});
