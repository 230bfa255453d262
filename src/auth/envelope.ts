import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { OperatorError } from '../domain/errors.js';
import type { RandomBytes } from '../domain/ids.js';

/** Where a ciphertext belongs: it opens nowhere else. */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/**
 * Encrypts what must not lie open in the database: AES-256-GCM, a random 96-bit nonce, and the place as associated
 * data. The first key encrypts, all decrypt, so that keys can be exchanged; `readAgain` gives those that there are by
 * now, so that a process that has been running since before an exchange takes part in it.
 */
export class Envelope {
  private keys: readonly Buffer[];
  private readonly random: RandomBytes;
  private readonly readAgain: (() => readonly Buffer[]) | undefined;

  constructor(keys: readonly Buffer[], random: RandomBytes, readAgain?: () => readonly Buffer[]) {
    this.keys = keys;
    this.random = random;
    this.readAgain = readAgain;
  }

  /** Names of the keys as they are now, the one that encrypts first. A name gives nothing of its key away. */
  names(): string[] {
    if (this.readAgain !== undefined) this.keys = this.readAgain();
    return this.keys.map(keyName);
  }

  seal(plain: Buffer, place: Place): Buffer {
    // A key that was taken out of the file since must encrypt nothing more.
    if (this.readAgain !== undefined) this.keys = this.readAgain();
    const nonce = this.random(12);
    const cipher = createCipheriv(algorithm, this.keys[0]!, nonce, { authTagLength }).setAAD(associated(place));
    return Buffer.concat([Buffer.of(1), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws `OperatorError` when none of the keys opens it. */
  open(sealed: Buffer, place: Place): Buffer {
    return this.openNamed(sealed, place).plain;
  }

  /** The same, with the name of the key that opened it. */
  openNamed(sealed: Buffer, place: Place): { readonly plain: Buffer; readonly key: string } {
    const opened = openWith(this.keys, sealed, place);
    if (opened !== undefined) return opened;
    if (this.readAgain !== undefined) {
      this.keys = this.readAgain();
      const now = openWith(this.keys, sealed, place);
      if (now !== undefined) return now;
    }
    throw new OperatorError(
      `What is stored in ${place.table}.${place.column} cannot be decrypted with the keys in the encryption keys file. ` +
        'Bring back the file that belongs to this database (WEIR_ENCRYPTION_KEYS_FILE, by default beside it with ending ".keys").',
    );
  }
}

const algorithm = 'aes-256-gcm';
const authTagLength = 16;

function openWith(keys: readonly Buffer[], sealed: Buffer, place: Place) {
  if (sealed[0] !== 1) return undefined;
  for (const key of keys) {
    try {
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(1, 13), { authTagLength });
      decipher.setAAD(associated(place)).setAuthTag(sealed.subarray(-authTagLength));
      const body = sealed.subarray(13, -authTagLength);
      return { plain: Buffer.concat([decipher.update(body), decipher.final()]), key: keyName(key) };
    } catch {
      // The next key may be the one.
    }
  }
  return undefined;
}

const keyName = (key: Buffer): string =>
  createHmac('sha256', key).update('the name of this encryption key').digest('hex').slice(0, 8);

const associated = ({ table, column, row }: Place): Buffer => Buffer.from(`weir:${table}:${column}:${row}`);
