import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { OperatorError } from '../domain/errors.js';
import type { RandomBytes } from '../domain/ids.js';

const keyBytes = 32;

/**
 * The 256-bit keys in a file, one in base64url on each line; blank lines and `#` comments aside. A missing file is made
 * with one new key and mode 0600; when several processes try at once, one wins and all read the same.
 */
export function readOrCreateKeys(path: string, purpose: string, random: RandomBytes, mayCreate = true): Buffer[] {
  if (!existsSync(path)) {
    // A fresh one beside old data would be wrong, and would stand in the way of the right one.
    if (!mayCreate) {
      throw new OperatorError(
        `The ${purpose} file ${path} is missing, and the database holds what was made with it. Bring it back.`,
      );
    }
    createKeyFile(path, purpose, random);
  }
  return readKeys(path, purpose);
}

export function readKeys(path: string, purpose: string): Buffer[] {
  const text = readText(path, purpose);
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Buffer.from(line, 'base64url'));
  if (keys.length === 0 || keys.some((key) => key.length !== keyBytes)) {
    throw new OperatorError(`The ${purpose} file ${path} must hold 32 random bytes in base64url on each line.`);
  }
  return keys;
}

/**
 * Puts a new key before those that are there. At every moment the file is there and whole, on disk too when this returns:
 * what is encrypted next must not outlive its key. It keeps its owner and mode.
 */
export function addFirstKey(path: string, purpose: string, random: RandomBytes): void {
  // Where it is a link, what it leads to is changed.
  const file = realpathSync(path);
  const { mode, uid, gid } = statSync(file);
  const draft = draftOf(file, random);
  try {
    const text = `${random(keyBytes).toString('base64url')}\n${readText(path, purpose)}`;
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    // For a command that root runs beside a server that is not root.
    if (statSync(draft).uid !== uid || statSync(draft).gid !== gid) chownSync(draft, uid, gid);
    chmodSync(draft, mode & 0o777);
    renameSync(draft, file);
    syncFolder(dirname(file));
  } catch (error) {
    throw new OperatorError(`The ${purpose} file ${path} cannot be changed: ${(error as Error).message}.`);
  } finally {
    if (existsSync(draft)) unlinkSync(draft);
  }
}

/** Whether others than the owner may read the file. */
export const isExposed = (path: string): boolean => process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0;

function createKeyFile(path: string, purpose: string, random: RandomBytes): void {
  const draft = draftOf(path, random);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(draft, `${random(keyBytes).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    chmodSync(draft, 0o600);
    // A link never overwrites: whoever comes second uses the first one's keys.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new OperatorError(`The ${purpose} file ${path} cannot be made: ${(error as Error).message}.`);
    }
  } finally {
    if (existsSync(draft)) unlinkSync(draft);
  }
}

const draftOf = (path: string, random: RandomBytes): string => `${path}.${process.pid}.${random(6).toString('hex')}`;

function readText(path: string, purpose: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`The ${purpose} file ${path} cannot be read: ${(error as Error).message}.`);
  }
}

/** Makes a renaming in it durable. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
