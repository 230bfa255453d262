import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import type { KeyStore, StoredKey } from '../storage/store.js';
import type { Envelope } from './envelope.js';

export interface VerificationKey {
  readonly kid: string;
  readonly alg: string;
  readonly key: KeyObject;
  readonly publicJwk: JWK;
}

/**
 * The gateway's own keys: one signs, all that are not gone verify. They live in the store, encrypted, so that a restart
 * invalidates no token.
 */
export class SigningKeys {
  private readonly store: KeyStore;
  private readonly envelope: Envelope;
  private byKid = new Map<string, VerificationKey>();
  private current: { kid: string; alg: string; key: KeyObject } | undefined;

  constructor(store: KeyStore, envelope: Envelope) {
    this.store = store;
    this.envelope = envelope;
  }

  /** Reads the keys; makes the first one when there are none. */
  async load(now: number): Promise<void> {
    let stored = await this.store.list();
    if (stored.length === 0) stored = await this.store.addFirst([await this.newKey('current', now)]);
    const byKid = new Map<string, VerificationKey>();
    for (const { kid, alg, publicJwk } of stored) {
      const jwk = JSON.parse(publicJwk) as JWK;
      byKid.set(kid, { kid, alg, publicJwk: jwk, key: createPublicKey({ key: jwk as never, format: 'jwk' }) });
    }
    const signing = stored.find(({ state }) => state === 'current');
    if (signing === undefined) throw new Error('no current signing key in the store');
    const opened = this.envelope.open(signing.privateJwk, placeOf(signing.kid));
    const key = createPrivateKey({ key: JSON.parse(opened.toString('utf8')), format: 'jwk' });
    this.current = { kid: signing.kid, alg: signing.alg, key };
    this.byKid = byKid;
  }

  /** An exact match, never a path or a pattern. */
  find(kid: string | undefined): VerificationKey | undefined {
    return kid === undefined ? undefined : this.byKid.get(kid);
  }

  publicKeys(): VerificationKey[] {
    return [...this.byKid.values()];
  }

  /**
   * A JWS in compact form (RFC 7515 §3.1), signed with `node:crypto`: jose's signing goes through WebCrypto's thread
   * pool and costs three to four times as much. Checking stays with jose.
   */
  sign(type: string, claims: Record<string, unknown>): string {
    const { kid, key, alg } = this.current!;
    const input = `${base64url({ alg, typ: type, kid })}.${base64url(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  private async newKey(state: StoredKey['state'], now: number): Promise<StoredKey> {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = pair.publicKey.export({ format: 'jwk' }) as JWK;
    const kid = await calculateJwkThumbprint(jwk);
    const privateJwk = Buffer.from(JSON.stringify(pair.privateKey.export({ format: 'jwk' })));
    return {
      kid,
      alg: 'ES256',
      state,
      publicJwk: JSON.stringify({ ...jwk, kid, alg: 'ES256', use: 'sig' }),
      privateJwk: this.envelope.seal(privateJwk, placeOf(kid)),
      createdAt: now,
    };
  }
}

const placeOf = (kid: string) => ({ table: 'signing_key', column: 'private_jwk', row: kid });

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
