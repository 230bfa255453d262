import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type ClientSecret, isSecretAlive } from '../domain/client.js';
import { OperatorError } from '../domain/errors.js';
import { newSecretId, type RandomBytes } from '../domain/ids.js';
import type { FactStore } from '../storage/store.js';

/**
 * Secrets are 256 bits of ours, so a keyed fast hash is as strong as a slow one and 2,000 times cheaper; the pepper lies
 * outside the database.
 */
export class SecretHasher {
  private readonly pepper: KeyObject;

  constructor(pepper: Buffer) {
    this.pepper = createSecretKey(pepper);
  }

  mac(secret: string): Buffer {
    return createHmac('sha256', this.pepper).update(secret).digest();
  }

  newRecord(clientId: string, secret: string, now: number, random: RandomBytes): ClientSecret {
    return {
      id: newSecretId(random),
      clientId,
      mac: this.mac(secret),
      createdAt: now,
      expiresAt: null,
      revokedAt: null,
      lastUse: null,
    };
  }

  /** Refuses to go on with a pepper that is not the one this store's secrets were made with: all would be wrong. */
  async confirm(facts: FactStore, pepperFile: string): Promise<void> {
    const fingerprint = this.mac('weir pepper fingerprint').toString('base64url').slice(0, 16);
    const known = (await facts.get(pepperFact)) ?? (await facts.establish(pepperFact, fingerprint));
    if (known !== fingerprint) {
      throw new OperatorError(
        `The pepper in ${pepperFile} is not the one this database's client secrets were made with. ` +
          'Bring back the file that belongs to it (WEIR_SECRET_PEPPER_FILE, by default beside it with ending ".pepper").',
      );
    }
  }
}

/** The fact that says which pepper a store's secrets were made with. */
export const pepperFact = 'pepper_fingerprint';

/** The secret with this mac, of those that live at `now`. */
export function matchingSecret(secrets: readonly ClientSecret[], mac: Buffer, now: number): ClientSecret | undefined {
  const found = withMac(secrets, mac);
  return found !== undefined && isSecretAlive(found, now) ? found : undefined;
}

/** The one with this mac; compares in constant time, and with something even if there is none. */
export function withMac<T extends { readonly mac: Buffer }>(kept: readonly T[], mac: Buffer): T | undefined {
  let found: T | undefined;
  for (const each of kept) {
    if (timingSafeEqual(each.mac, mac)) found = each;
  }
  if (kept.length === 0) timingSafeEqual(mac, noMac);
  return found;
}

const noMac = Buffer.alloc(32);
