import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DemoFolder } from '../../src/demo/folder.js';
import { OperatorError } from '../../src/domain/errors.js';

const scratch = mkdtempSync(join(tmpdir(), 'weir-folder-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

test('a temporary folder is for the owner alone, and goes with all that is in it', async () => {
  const folder = await DemoFolder.open(undefined);
  expect(dirname(folder.path)).toBe(tmpdir());
  expect(modeOf(folder.path)).toBe(0o700);
  mkdirSync(folder.file('inner'));
  writeFileSync(folder.file('inner/file'), '');
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
  folder.remove();
});

test('a named folder is made, for the owner alone', async () => {
  const folder = await DemoFolder.open(join(scratch, 'a', 'b'));
  expect(folder.path).toBe(join(scratch, 'a', 'b'));
  expect(modeOf(folder.path)).toBe(0o700);
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});

test('a folder that was there before stays, empty as it was', async () => {
  const path = mkdtempSync(join(scratch, 'there-'));
  const folder = await DemoFolder.open(path);
  writeFileSync(folder.file('weir.db'), '');
  folder.remove();
  expect(readdirSync(path)).toEqual([]);
});

test('a folder with something in it is refused and left alone', async () => {
  const path = mkdtempSync(join(scratch, 'full-'));
  writeFileSync(join(path, 'mine'), '');
  await expect(DemoFolder.open(path)).rejects.toThrow(/is not empty/);
  expect(readdirSync(path)).toEqual(['mine']);
});

test('a folder that cannot be is refused with a sentence', async () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'below')]) {
    const refused = DemoFolder.open(path);
    await expect(refused).rejects.toBeInstanceOf(OperatorError);
    await expect(refused).rejects.toThrow(/Choose one with --dir/);
  }
});
