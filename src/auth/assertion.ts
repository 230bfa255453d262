import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import type { Clock } from '../domain/clock.js';
import type { Soon } from '../domain/soon.js';
import { leewaySeconds } from './access-token.js';
import { type PublicKey, signatureAlgorithms } from './client-keys.js';
import { verifiedInEqualTime } from './decoy-keys.js';
import { OAuthError } from './oauth-error.js';

/** `client_assertion_type` of RFC 7523 §2.2. */
export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** `grant_type` of RFC 7523 §2.1. */
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** What a good assertion says. */
export interface Assertion {
  readonly clientId: string;
  /** The scopes it asks for, separated by blanks: Prometheus writes them into the assertion, not into the form. */
  readonly scope?: string;
}

export interface AssertionOptions {
  /** The keys of a client that may come in now; none when it is unknown or disabled. `kid` is the key it names. */
  readonly keysOf: (clientId: string, kid: string | undefined) => Promise<readonly PublicKey[]>;
  /** Whether this client's assertion was taken before. */
  readonly wasTaken: (clientId: string, jti: string) => Promise<boolean>;
  /** Takes it, and says whether that was the first time; it need not be remembered after `endsAt`. */
  readonly takeOnce: (clientId: string, jti: string, endsAt: number) => Promise<boolean>;
  /** Whom an assertion may be meant for: the issuer and the token URL. */
  readonly audiences: () => readonly string[];
  readonly clock: Clock;
}

/**
 * JWTs by which a client proves who it is without a secret (RFC 7521, RFC 7523), signed with a key it registered. Each
 * is taken once. Unknown client, disabled client, key that is not registered and bad signature have one answer.
 */
export class Assertions {
  private readonly options: AssertionOptions;

  constructor(options: AssertionOptions) {
    this.options = options;
  }

  /**
   * `private_key_jwt`. `clientId` is the parameter beside it, if there is one. Throws `invalid_client`, and what `admit` throws
   * of a client that has proved itself: then the assertion is not used up.
   */
  authenticateClient(assertion: string, clientId?: string, admit?: Admit): Promise<Assertion> {
    return this.verify(assertion, clientAuthentication, clientId, admit);
  }

  /** The grant of Prometheus, Alloy and the OpenTelemetry Collector, as above. Throws `invalid_grant`. */
  grant(assertion: string, clientId?: string, admit?: Admit): Promise<Assertion> {
    return this.verify(assertion, authorizationGrant, clientId, admit);
  }

  private async verify(text: string, use: Use, expected?: string, admit?: Admit): Promise<Assertion> {
    const form = readForm(text);
    if (form === undefined) throw new OAuthError(use.code, malformed);
    mustHold(formChecks, { ...form, use, expected }, use);
    const clientId = clientOf(form.claims)!;

    const { keysOf, wasTaken, takeOnce, audiences, clock } = this.options;
    const claims = await signedClaims(text, await keysOf(clientId, form.header.kid), clock, use);
    mustHold(claimChecks, { claims, now: Math.floor(clock.now() / 1000), audiences: audiences() }, use);

    const { jti, exp, scope } = claims as JWTPayload & { jti: string; exp: number; scope?: string };
    if (await wasTaken(clientId, jti)) throw new OAuthError(use.code, usedBefore);
    // After that look, as who repeats an assertion must not use up its client's limit; and before anything is written.
    await admit?.(clientId);
    if (!(await takeOnce(clientId, jti, (exp + leewaySeconds) * 1000))) throw new OAuthError(use.code, usedBefore);
    return { clientId, ...(scope === undefined || scope === '' ? {} : { scope }) };
  }
}

/** Whether a client that has proved itself may go on; throws when it may not. */
type Admit = (clientId: string) => Soon<void>;

interface Use {
  readonly code: 'invalid_client' | 'invalid_grant';
  /** draft-ietf-oauth-rfc7523bis; today's clients say `JWT` or nothing. */
  readonly typ: string;
  /** OpenTelemetry leaves `sub` empty when it reads the client id from a file; `iss` has it then. */
  readonly mayLackSubject: boolean;
}

const clientAuthentication: Use = {
  code: 'invalid_client',
  typ: 'client-authentication+jwt',
  mayLackSubject: false,
};
const authorizationGrant: Use = { code: 'invalid_grant', typ: 'authorization-grant+jwt', mayLackSubject: true };

/** A rule: the sentence for the client's operator when it is broken. */
type Check<Facts> = (facts: Facts) => string | undefined;

function mustHold<Facts>(checks: readonly Check<Facts>[], facts: Facts, { code }: Use): void {
  for (const check of checks) {
    const fault = check(facts);
    if (fault !== undefined) throw new OAuthError(code, fault);
  }
}

const maxLength = 8192;
const maxLifetimeSeconds = 3600;
const malformed = 'The assertion is not a signed JWT of at most 8 kB.';
const usedBefore = 'The assertion was used before; each needs a jti of its own.';
const notSigned = 'The assertion is not signed with a key of this client, or the client is unknown or disabled.';

interface Form {
  readonly header: ProtectedHeaderParameters;
  readonly claims: JWTPayload;
}

function readForm(text: string): Form | undefined {
  if (text.length > maxLength) return undefined;
  try {
    return { header: decodeProtectedHeader(text), claims: decodeJwt(text) };
  } catch {
    return undefined;
  }
}

/** Whose it says it is. */
const clientOf = ({ iss, sub }: JWTPayload): string | undefined => (sub === undefined || sub === '' ? iss : sub);

type FormFacts = Form & { readonly use: Use; readonly expected: string | undefined };

const formChecks: readonly Check<FormFacts>[] = [
  function algorithm({ header }) {
    if ((signatureAlgorithms as readonly unknown[]).includes(header.alg)) return undefined;
    return `The assertion must be signed with one of ${signatureAlgorithms.join(', ')}.`;
  },
  function criticalExtensions({ header }) {
    return header.crit === undefined ? undefined : 'The assertion must not have crit in its header.';
  },
  function type({ header, use }) {
    const accepted = [undefined, 'jwt', 'application/jwt', use.typ, `application/${use.typ}`];
    const typ: unknown = header.typ;
    if (accepted.includes(typeof typ === 'string' ? typ.toLowerCase() : (typ as undefined))) return undefined;
    return `The typ of the assertion must be JWT or ${use.typ}, or left out.`;
  },
  function keyId({ header }) {
    if (header.kid === undefined || typeof header.kid === 'string') return undefined;
    return 'The kid of the assertion must be text.';
  },
  function parties({ claims, use }) {
    const { iss, sub }: { iss?: unknown; sub?: unknown } = claims;
    const same = sub === iss || (use.mayLackSubject && (sub === undefined || sub === ''));
    if (typeof iss === 'string' && iss !== '' && same) return undefined;
    return 'Both iss and sub of the assertion must be the client id.';
  },
  function clientParameter({ claims, expected }) {
    if (expected === undefined || expected === clientOf(claims)) return undefined;
    return 'The client_id beside the assertion is not the one in it.';
  },
];

async function signedClaims(
  text: string,
  keys: readonly PublicKey[],
  clock: Clock,
  { code }: Use,
): Promise<JWTPayload> {
  try {
    const times = { clockTolerance: leewaySeconds, currentDate: new Date(clock.now()) };
    const claims = await verifiedInEqualTime(text, keys, signatureAlgorithms, times);
    if (claims !== undefined) return claims;
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw new OAuthError(code, claimFault(error));
  }
  throw new OAuthError(code, notSigned);
}

function claimFault(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return "The assertion has expired; is the client's clock right?";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `The claim ${error.claim} of the assertion does not hold; is the client's clock right?`;
  }
  return malformed;
}

interface ClaimFacts {
  readonly claims: JWTPayload;
  readonly now: number;
  readonly audiences: readonly string[];
}

const claimChecks: readonly Check<ClaimFacts>[] = [
  function audience({ claims: { aud }, audiences }) {
    const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
    if (named.some((one) => typeof one === 'string' && audiences.includes(one))) return undefined;
    return `The assertion must be meant for us: aud must be ${audiences.join(' or ')}.`;
  },
  function end({ claims: { exp }, now }) {
    if (exp === undefined) return 'The assertion needs an end (exp).';
    if (exp <= now + maxLifetimeSeconds + leewaySeconds) return undefined;
    return 'The assertion may end (exp) in an hour at most.';
  },
  function beginning({ claims: { iat }, now }) {
    if (iat === undefined || iat <= now + leewaySeconds) return undefined;
    return "The assertion is from the future (iat); is the client's clock right?";
  },
  function identity({ claims }) {
    const jti: unknown = claims.jti;
    if (typeof jti === 'string' && jti.length >= 1 && jti.length <= 256) return undefined;
    return 'The assertion needs a jti of 1 to 256 characters that is used once.';
  },
  function scope({ claims }) {
    if (claims.scope === undefined || typeof claims.scope === 'string') return undefined;
    return 'The scope of the assertion must be text, scopes separated by blanks.';
  },
];
