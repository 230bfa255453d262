import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { WeirError } from '../domain/errors.js';
import type { SigningAlgorithm } from '../domain/signing.js';
import type { KeyStore, StoredKey } from '../storage/store.js';
import type { Envelope } from './envelope.js';
import { type Signer, signerOf } from './signatures.js';

export interface VerificationKey {
  readonly kid: string;
  readonly alg: string;
  readonly key: KeyObject;
  readonly publicJwk: JWK;
  /** From then on its tokens are refused; null while it may sign. */
  readonly endsAt: number | null;
}

export interface SigningKeysOptions {
  readonly store: KeyStore;
  readonly envelope: Envelope;
  readonly now: () => number;
  /** How long a key is kept after it signed its last token: the longest lifetime of a token, and the leeway. */
  readonly keptMs: number;
}

/**
 * The gateway's own keys. `current` signs; `next` is published before it does, so that whoever keeps a copy of the JWKS
 * has it in time; `retired` ones verify until the last token they signed has ended. All live in the store, encrypted, so
 * that a restart invalidates no token.
 */
export class SigningKeys {
  private readonly options: SigningKeysOptions;
  private readonly listeners: (() => void)[] = [];
  private byKid = new Map<string, VerificationKey>();
  /** Of the keys that lived when they were read last. */
  private livingKids = '';
  private behind = false;
  private current: { kid: string; sign: Signer; header: string; createdAt: number } | undefined;

  constructor(options: SigningKeysOptions) {
    this.options = options;
  }

  /** Calls back when a `load` finds that other keys live than before, also one that then fails. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Whether the last `load` failed, so that another may find what it missed. */
  get isBehind(): boolean {
    return this.behind;
  }

  /**
   * Reads the keys; makes the first two when there are none. Throws `OperatorError` when the private key of the one that signs
   * cannot be decrypted: what verifies is up to date all the same, and the key before goes on signing while it lives.
   */
  async load(): Promise<void> {
    try {
      const stored = await this.readOrMake();
      // First, as it needs no decryption: a retired key must not stay good until the file of the encryption keys has come.
      this.install(stored);
      this.openCurrent(stored);
      this.behind = false;
    } catch (error) {
      this.behind = true;
      throw error;
    }
  }

  private async readOrMake(): Promise<readonly StoredKey[]> {
    const { store } = this.options;
    const stored = await store.list();
    if (stored.some(({ state }) => state === 'current')) return stored;
    const first = [await this.newKey('current', 'ES256'), await this.newKey('next', 'ES256')];
    // Another process may have been faster.
    return store.update((keys) =>
      keys.length > 0 ? undefined : { action: 'create', kid: first[0]!.kid, keys: first },
    );
  }

  private install(stored: readonly StoredKey[]): void {
    const byKid = new Map<string, VerificationKey>();
    for (const { kid, alg, publicJwk, endsAt } of stored) {
      const jwk = JSON.parse(publicJwk) as JWK;
      byKid.set(kid, { kid, alg, publicJwk: jwk, endsAt, key: createPublicKey({ key: jwk as never, format: 'jwk' }) });
    }
    this.byKid = byKid;
    const living = this.living([...byKid.values()])
      .map(({ kid }) => kid)
      .join();
    if (living === this.livingKids) return;
    this.livingKids = living;
    for (const listener of this.listeners) listener();
  }

  private openCurrent(stored: readonly StoredKey[]): void {
    const signing = stored.find(({ state }) => state === 'current')!;
    if (this.current?.kid === signing.kid) return;
    const { kid, createdAt } = signing;
    const opened = this.options.envelope.open(signing.privateJwk, placeOf(kid));
    const key = createPrivateKey({ key: JSON.parse(opened.toString('utf8')), format: 'jwk' });
    const alg = signing.alg as SigningAlgorithm;
    this.current = { kid, sign: signerOf(alg, key), header: base64url({ alg, typ: 'at+jwt', kid }), createdAt };
  }

  async list(): Promise<StoredKey[]> {
    return this.living(await this.options.store.list());
  }

  /**
   * `next` becomes `current` and another `next` is made. With an algorithm that differs from that of `next`, a new key
   * of it takes over at once. Keys whose last token has ended are deleted.
   */
  async rotate(alg: SigningAlgorithm | undefined): Promise<StoredKey[]> {
    const { store, now, keptMs } = this.options;
    const before = await store.list();
    const wanted =
      alg ?? (before.find(({ state }) => state === 'next')?.alg as SigningAlgorithm | undefined) ?? 'ES256';
    const [spare, next] = [await this.newKey('current', wanted), await this.newKey('next', wanted)];
    return store.update((keys) => {
      const successor = keys.find((key) => key.state === 'next' && key.alg === wanted);
      const retired = this.living(keys)
        .filter(({ state }) => state !== 'next')
        .map((key) => (key.state === 'current' ? { ...key, state: 'retired' as const, endsAt: now() + keptMs } : key));
      const current = { ...(successor ?? spare), state: 'current' as const };
      return { action: 'rotate', kid: current.kid, keys: [...retired, current, next] };
    });
  }

  /** Refuses the tokens of a key at once. When it is the current or the next one, another takes its place. */
  async retire(kid: string): Promise<StoredKey[]> {
    const { store, now } = this.options;
    const target = (await this.list()).find((key) => key.kid === kid);
    if (target === undefined)
      throw new WeirError('not_found', `There is no signing key "${kid}"; see "weir key list".`);
    const alg = target.alg as SigningAlgorithm;
    const [spare, next] = [await this.newKey('current', alg), await this.newKey('next', alg)];
    const without = (keys: readonly StoredKey[]): readonly StoredKey[] | undefined => {
      // What the key is by now: meanwhile another process may have made it current.
      const state = keys.find((key) => key.kid === kid)?.state;
      if (state === undefined) return undefined;
      if (state === 'next') return [...keys.filter((key) => key.kid !== kid), next];
      const ended = (key: StoredKey): StoredKey => ({ ...key, state: 'retired', endsAt: now() });
      if (state === 'retired') return keys.map((key) => (key.kid === kid ? ended(key) : key));
      const successor = keys.find((key) => key.state === 'next');
      const others = keys.filter((key) => key !== successor).map((key) => (key.kid === kid ? ended(key) : key));
      return [...others, { ...(successor ?? spare), state: 'current' }, next];
    };
    const kept = await store.update((keys) => {
      const left = without(keys);
      return left && { action: 'retire', kid, keys: left };
    });
    return this.living(kept);
  }

  /** When the key that signs was made; wall-clock milliseconds. */
  currentSince(): number {
    return this.current!.createdAt;
  }

  /** An exact match, never a path or a pattern. */
  find(kid: string | undefined): VerificationKey | undefined {
    const key = kid === undefined ? undefined : this.byKid.get(kid);
    return key !== undefined && this.lives(key) ? key : undefined;
  }

  /** What is published: everything that verifies now or will sign next. */
  publicKeys(): JWK[] {
    return this.living([...this.byKid.values()]).map(({ publicJwk }) => publicJwk);
  }

  /**
   * An access token of these claims: a JWS in compact form (RFC 7515 §3.1), signed at once: jose's signing goes through WebCrypto's thread
   * pool and costs three to four times as much. Checking stays with jose. Throws `unavailable` when the key ends before the token
   * and the one in its place cannot be read: Go scrapers would keep the token although it is refused.
   */
  sign(claims: { readonly exp: number; readonly [claim: string]: unknown }): string {
    const { kid, sign, header } = this.current!;
    const endsAt = this.byKid.get(kid)?.endsAt;
    // Of a key that signs there is no end, but where another should be in its place.
    if (endsAt === undefined || (endsAt !== null && endsAt < claims.exp * 1000)) {
      throw new WeirError('unavailable', 'The key that signs tokens was retired, and the next one cannot be read yet.');
    }
    const input = `${header}.${base64url(claims)}`;
    return `${input}.${sign(Buffer.from(input)).toString('base64url')}`;
  }

  private lives({ endsAt }: Pick<StoredKey, 'endsAt'>): boolean {
    return endsAt === null || endsAt > this.options.now();
  }

  private living<T extends Pick<StoredKey, 'endsAt'>>(keys: readonly T[]): T[] {
    return keys.filter((key) => this.lives(key));
  }

  private async newKey(state: StoredKey['state'], alg: SigningAlgorithm): Promise<StoredKey> {
    const pair = newPair[alg]();
    const jwk = pair.publicKey.export({ format: 'jwk' }) as JWK;
    const kid = await calculateJwkThumbprint(jwk);
    // "weir key retire" would take it for an option: one in 64.
    if (kid.startsWith('-')) return this.newKey(state, alg);
    const privateJwk = Buffer.from(JSON.stringify(pair.privateKey.export({ format: 'jwk' })));
    return {
      kid,
      alg,
      state,
      publicJwk: JSON.stringify({ ...jwk, kid, alg, use: 'sig' }),
      privateJwk: this.options.envelope.seal(privateJwk, placeOf(kid)),
      createdAt: this.options.now(),
      endsAt: null,
    };
  }
}

const newPair = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

/** What the private key of `kid` is bound to in the database. */
export const placeOf = (kid: string) => ({ table: 'signing_key', column: 'private_jwk', row: kid });

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
