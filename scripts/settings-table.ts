// Writes the tables of settings and limits into docs/configuration.md: npx tsx scripts/settings-table.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { settings } from '../src/config/settings.js';
import { defaultLimits, limitMeanings, limitNames } from '../src/domain/limits.js';

const page = new URL('../docs/configuration.md', import.meta.url);

/** The page as it should be: each table stands between two marks. */
export function withTables(text: string): string {
  return [...Object.entries(tables)].reduce((whole, [name, table]) => {
    const [begin, end] = [`<!-- ${name}: npx tsx scripts/settings-table.ts -->\n`, `<!-- end of ${name} -->\n`];
    const [before, after] = [whole.split(begin)[0]!, whole.split(end)[1]!];
    return `${before}${begin}\n${table()}\n${end}${after}`;
  }, text);
}

const tables: Readonly<Record<string, () => string>> = {
  settings: () => {
    const rows = settings.map(({ flag, env, yaml, default: preset, help }) =>
      row([code(flag && `--${flag}`), code(env), code(yaml), code(preset), help]),
    );
    return `${head(['flag', 'environment', 'configuration file', 'default', 'meaning'])}${rows.join('')}`;
  },
  limits: () => {
    const rows = limitNames.map((name) => row([code(name), code(String(defaultLimits[name])), limitMeanings[name]]));
    return `${head(['limit', 'default', 'what it bounds'])}${rows.join('')}`;
  },
};

const code = (text: string | undefined): string => (text === undefined || text === '' ? '' : `\`${text}\``);
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
const head = (names: readonly string[]): string => `${row(names)}${row(names.map(() => '---'))}`;

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  writeFileSync(page, withTables(readFileSync(page, 'utf8')));
}
