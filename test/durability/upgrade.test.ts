import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/sqlite/database.js';

interface Journal {
  readonly entries: readonly { readonly tag: string }[];
}

const known = JSON.parse(readFileSync('db/migrations/meta/_journal.json', 'utf8')) as Journal;
/** Every schema a database may have been left with. */
const former = known.entries.slice(0, -1).map(({ tag }, index) => ({ tag, count: index + 1 }));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-upgrade-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A database as the version with so many migrations left it, with a row of its own in every table. */
function formerDatabase(tag: string, count: number): { path: string; before: Record<string, unknown[]> } {
  const migrationsFolder = join(folder, `${tag}-migrations`);
  cpSync('db/migrations', migrationsFolder, { recursive: true });
  const cut = { ...known, entries: known.entries.slice(0, count) };
  writeFileSync(join(migrationsFolder, 'meta', '_journal.json'), JSON.stringify(cut));
  mkdirSync(join(folder, tag));
  const path = join(folder, tag, 'weir.db');
  const client = new Sqlite(path);
  client.pragma('foreign_keys = OFF');
  migrate(drizzle({ client }), { migrationsFolder });
  client.pragma('foreign_keys = ON');
  for (const table of inOrderOfReference(client)) insertOne(client, table);
  const before = contentsOf(client);
  client.close();
  return { path, before };
}

const tablesOf = (client: Sqlite.Database): string[] =>
  client
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '__*'")
    .all()
    .map((row) => (row as { name: string }).name);

interface Reference {
  readonly table: string;
  readonly from: string;
}
const referencesOf = (client: Sqlite.Database, table: string): Reference[] =>
  client.pragma(`foreign_key_list(${table})`) as Reference[];

function inOrderOfReference(client: Sqlite.Database): string[] {
  const ordered = new Set<string>();
  const visit = (table: string): void => {
    for (const { table: parent } of referencesOf(client, table)) visit(parent);
    ordered.add(table);
  };
  for (const table of tablesOf(client)) visit(table);
  return [...ordered];
}

/** Text is the table's name, so that references fit: each points to the only row of its parent. */
function insertOne(client: Sqlite.Database, table: string): void {
  const columns = client.pragma(`table_info(${table})`) as { name: string; type: string }[];
  const references = new Map(referencesOf(client, table).map(({ from, table: parent }) => [from, parent]));
  const value = ({ name, type }: { name: string; type: string }): unknown => {
    if (type.toLowerCase() === 'integer') return 1;
    return type.toLowerCase() === 'blob' ? Buffer.from(name) : (references.get(name) ?? table);
  };
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  const places = columns.map(() => '?').join(', ');
  client.prepare(`INSERT INTO "${table}" (${names}) VALUES (${places})`).run(columns.map(value));
}

const contentsOf = (client: Sqlite.Database): Record<string, unknown[]> =>
  Object.fromEntries(tablesOf(client).map((table) => [table, client.prepare(`SELECT * FROM "${table}"`).all()]));

describe('a database of a former version', () => {
  it.each(former)('with the schema $tag keeps every row', ({ tag, count }) => {
    const { path, before } = formerDatabase(tag, count);
    expect(Object.keys(before).length).toBeGreaterThan(5);
    const upgraded = openDatabase(path);
    const after = contentsOf(upgraded.$client);
    for (const [table, rows] of Object.entries(before)) {
      expect(rows, table).toHaveLength(1);
      expect(after[table], table).toEqual([expect.objectContaining(rows[0] as object)]);
    }
    expect(upgraded.$client.pragma('foreign_key_check')).toEqual([]);
    expect(upgraded.$client.pragma('foreign_keys', { simple: true })).toBe(1);
    upgraded.$client.close();
  });
});
