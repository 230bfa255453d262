import { createCipheriv, createDecipheriv } from 'node:crypto';
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
 * data. The first key encrypts, all decrypt, so that keys can be exchanged.
 */
export class Envelope {
  private readonly keys: readonly Buffer[];
  private readonly random: RandomBytes;

  constructor(keys: readonly Buffer[], random: RandomBytes) {
    this.keys = keys;
    this.random = random;
  }

  seal(plain: Buffer, place: Place): Buffer {
    const nonce = this.random(12);
    const cipher = createCipheriv('aes-256-gcm', this.keys[0]!, nonce).setAAD(associated(place));
    return Buffer.concat([Buffer.of(1), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws `OperatorError` when none of the keys opens it. */
  open(sealed: Buffer, place: Place): Buffer {
    if (sealed[0] === 1) {
      for (const key of this.keys) {
        try {
          const nonce = sealed.subarray(1, 13);
          const cipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 }).setAAD(associated(place));
          cipher.setAuthTag(sealed.subarray(-16));
          return Buffer.concat([cipher.update(sealed.subarray(13, -16)), cipher.final()]);
        } catch {
          // The next key may be the one.
        }
      }
    }
    throw new OperatorError(
      `What is stored in ${place.table}.${place.column} cannot be decrypted with the keys in the encryption keys file. ` +
        'Bring back the file that belongs to this database (WEIR_ENCRYPTION_KEYS_FILE, by default beside it with ending ".keys").',
    );
  }
}

const associated = ({ table, column, row }: Place): Buffer => Buffer.from(`weir:${table}:${column}:${row}`);
