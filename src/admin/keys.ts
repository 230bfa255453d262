import type { SigningKeys } from '../auth/signing-keys.js';
import type { SigningAlgorithm } from '../domain/signing.js';
import type { StoredKey } from '../storage/store.js';

/** What may be done to signing keys. A running server follows within a second. */
export class KeyAdmin {
  private readonly keys: SigningKeys;

  constructor(keys: SigningKeys) {
    this.keys = keys;
  }

  /** Those that verify or will sign, oldest first. Makes the first ones when there are none. */
  async list(): Promise<StoredKey[]> {
    await this.keys.load();
    return this.keys.list();
  }

  async rotate(alg: SigningAlgorithm | undefined): Promise<StoredKey[]> {
    await this.keys.load();
    return this.keys.rotate(alg);
  }

  async retire(kid: string): Promise<StoredKey[]> {
    await this.keys.load();
    return this.keys.retire(kid);
  }
}
