export type KeyState = 'next' | 'current' | 'retired';

export interface StoredKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: KeyState;
  readonly publicJwk: string;
  /** Encrypted. */
  readonly privateJwk: Buffer;
  readonly createdAt: number;
  /** From then on its tokens are refused; null while it may sign. */
  readonly endsAt: number | null;
}

/** What becomes of the keys, and what the audit log says of it: `key.<action>` of `kid`. */
export interface KeyChange {
  readonly action: string;
  readonly kid: string;
  readonly keys: readonly StoredKey[];
}

export interface KeyStore {
  list(): Promise<StoredKey[]>;
  /**
   * Replaces what is there by what `change` makes of it, in one transaction; gives the result. Nothing is written when
   * `change` gives nothing.
   */
  update(change: (keys: readonly StoredKey[]) => KeyChange | undefined): Promise<StoredKey[]>;
  /**
   * Replaces every private key, and the secrets of every stream and source, by what `reseal` makes of them, in one
   * transaction; others that do so wait. The audit log says `encryption.rotate` of the encryption key that `reseal` names.
   * What it throws changes nothing.
   */
  reseal(reseal: (sealed: Omit<Resealed, 'name'>) => Resealed): Promise<void>;
}

export interface Resealed {
  /** Of the encryption key. */
  readonly name: string;
  readonly keys: readonly StoredKey[];
  readonly streams: readonly SealedSecrets[];
  readonly sources: readonly SealedSecrets[];
}

/** The secrets of a stream or source, encrypted. */
export interface SealedSecrets {
  readonly id: string;
  readonly secrets: Buffer;
}

export interface IssuerStore {
  /** Notes that tokens are issued under this URL now; gives every URL used since `since`. */
  use(url: string, now: number, since: number): Promise<string[]>;
  /** The URL used last. */
  latest(): Promise<string | undefined>;
}
