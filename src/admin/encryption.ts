import type { Envelope, Place } from '../auth/envelope.js';
import { addFirstKey } from '../auth/key-file.js';
import { placeOf } from '../auth/signing-keys.js';
import { OperatorError } from '../domain/errors.js';
import type { RandomBytes } from '../domain/ids.js';
import { sourceSecretsPlace } from '../sources/secrets.js';
import type { Store } from '../storage/store.js';
import { secretsPlace } from '../streams/secrets.js';

/** A value that lies encrypted in the store. */
export interface EncryptedValue {
  /** `table.column`. */
  readonly value: string;
  readonly row: string;
  /** Name of the encryption key it can be read with, and the place of that in the key file, from 1. */
  readonly key: string;
  readonly line: number;
}

export interface EncryptionRotation {
  readonly key: string;
  readonly isNew: boolean;
  readonly values: number;
  /** Keys in the file that encrypt nothing any more. */
  readonly unused: number;
}

/** What may be done to the keys that encrypt what is secret in the store. */
export class EncryptionAdmin {
  private readonly store: Store;
  private readonly envelope: Envelope;
  private readonly random: RandomBytes;
  private readonly keyFile: string;

  constructor(store: Store, envelope: Envelope, random: RandomBytes, keyFile: string) {
    this.store = store;
    this.envelope = envelope;
    this.random = random;
    this.keyFile = keyFile;
  }

  /** Every encrypted value, with the key it can be read with; throws `OperatorError` naming those that cannot be. */
  async check(): Promise<EncryptedValue[]> {
    const values: EncryptedValue[] = [];
    const unreadable: string[] = [];
    const names = this.envelope.names();
    const streams = await Promise.all(
      (await this.store.streams.list(undefined)).map(({ id }) => this.store.streams.get(id)),
    );
    const sources = await Promise.all(
      (await this.store.sources.list(undefined)).map(({ id }) => this.store.sources.get(id)),
    );
    const sealed = [
      ...(await this.store.keys.list()).map(({ kid, privateJwk }) => [placeOf(kid), privateJwk] as const),
      ...streams.flatMap((found) =>
        found === undefined ? [] : [[secretsPlace(found.stream.id), found.secrets] as const],
      ),
      ...sources.flatMap((found) =>
        found === undefined ? [] : [[sourceSecretsPlace(found.source.id), found.secrets] as const],
      ),
    ];
    for (const [place, value] of sealed) {
      try {
        const { key } = this.envelope.openNamed(value, place);
        values.push({ value: nameOf(place), row: place.row, key, line: names.indexOf(key) + 1 });
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        unreadable.push(`${nameOf(place)} of ${place.row}`);
      }
    }
    if (unreadable.length === 0) return values;
    throw new OperatorError(
      `Not everything can be read with the keys in ${this.keyFile}: ${unreadable.join(', ')}. ` +
        'Put back the key it was encrypted with, on a line of its own below the first.',
    );
  }

  /**
   * Encrypts every value with the first key of the file. When that is the case already, a new key comes first, if the
   * file may be changed: `mayAddKey`. The old keys stay in the file. It is changed before the transaction ends and within
   * it, so that nothing is ever encrypted with a key that is nowhere, and two rotations at once come one after the other.
   */
  async rotate(mayAddKey: boolean): Promise<EncryptionRotation> {
    const { store, envelope } = this;
    let rotation: EncryptionRotation | undefined;
    await store.keys.reseal(({ keys, streams, sources }) => {
      const opened = [
        ...keys.map(({ kid, privateJwk }) => ({ place: placeOf(kid), sealed: privateJwk })),
        ...streams.map(({ id, secrets }) => ({ place: secretsPlace(id), sealed: secrets })),
        ...sources.map(({ id, secrets }) => ({ place: sourceSecretsPlace(id), sealed: secrets })),
      ].map(({ place, sealed }) => ({ place, ...envelope.openNamed(sealed, place) }));
      const [first] = envelope.names();
      const isNew = opened.every(({ key }) => key === first);
      if (isNew) this.addKey(mayAddKey);
      const [name, ...others] = envelope.names() as [string, ...string[]];
      rotation = { key: name, isNew, values: opened.length, unused: others.length };
      const resealed = opened.map(({ place, plain }) => envelope.seal(plain, place));
      const take = (count: number): Buffer[] => resealed.splice(0, count);
      const [forKeys, forStreams, forSources] = [keys, streams, sources].map(({ length }) => take(length)) as [
        Buffer[],
        Buffer[],
        Buffer[],
      ];
      return {
        name,
        keys: keys.map((key, i) => ({ ...key, privateJwk: forKeys[i]! })),
        streams: streams.map(({ id }, i) => ({ id, secrets: forStreams[i]! })),
        sources: sources.map(({ id }, i) => ({ id, secrets: forSources[i]! })),
      };
    });
    return rotation!;
  }

  private addKey(mayAddKey: boolean): void {
    if (mayAddKey) {
      addFirstKey(this.keyFile, 'encryption keys', this.random);
      return;
    }
    throw new OperatorError(
      `Everything is encrypted with the first key of ${this.keyFile}, and WEIR_ENCRYPTION_KEYS_FILE says that the file is ` +
        'yours to change. Write a new key above the others (32 random bytes in base64url: "openssl rand -base64 32 | ' +
        `tr '+/' '-_' | tr -d =") and run this again; keep the old ones until then.`,
    );
  }
}

const nameOf = ({ table, column }: Place): string => `${table}.${column}`;
