import type { BlockList } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock } from '../domain/clock.js';
import type { SourceAuth, SourceSecrets, SourceSettings } from '../domain/source.js';
import { type EgressResponse, type EgressSeams, guardedFetch } from '../net/egress.js';
import { EgressError } from '../net/egress-error.js';
import { PullError } from './pulled.js';

const inflate = promisify(gunzip);

/** What the operator lets sources reach, and the network as an argument. */
export interface SourceReach {
  readonly allowHttp: boolean;
  readonly allowedNetworks: BlockList;
  readonly seams: EgressSeams;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

export interface Question {
  readonly url: string;
  readonly accept: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent by POST; without one it is a GET. */
  readonly form?: Readonly<Record<string, string>>;
  /** Of the answer, as sent and inflated. */
  readonly maxBytes: number;
}

/** How a source is talked to: through the guard, in its own time, with its credentials. */
export class Connection {
  private readonly settings: Pick<SourceSettings, 'auth' | 'timeoutMs'>;
  private readonly secrets: SourceSecrets;
  private readonly reach: SourceReach;
  private readonly clock: Clock;
  /** An access token and the monotonic time until which it is used. */
  private token: { readonly text: string; readonly until: number } | undefined;

  constructor(
    settings: Pick<SourceSettings, 'auth' | 'timeoutMs'>,
    secrets: SourceSecrets,
    reach: SourceReach,
    clock: Clock,
  ) {
    this.settings = settings;
    this.secrets = secrets;
    this.reach = reach;
    this.clock = clock;
  }

  /** A good answer with its body inflated. Throws `PullError` for every other. */
  async ask(question: Question): Promise<EgressResponse> {
    const hadToken = this.token !== undefined;
    let response = await this.send(question, await this.authorization());
    if (response.status === 401 && this.settings.auth.type === 'oauth2') {
      this.token = undefined;
      // It may have been revoked before its time.
      if (hadToken) response = await this.send(question, await this.authorization());
    }
    if (response.status !== 200) throw new PullError('failed', `It answered ${response.status}.`);
    return { ...response, body: await inflated(response, question.maxBytes) };
  }

  private async send(question: Question, authorization: Record<string, string>): Promise<EgressResponse> {
    const { url, accept, headers, form, maxBytes } = question;
    const own = { 'user-agent': 'weir-sources', 'accept-encoding': 'gzip', accept, ...headers, ...authorization };
    const request = { timeoutMs: this.settings.timeoutMs, maxBytes, ...this.reach };
    try {
      if (form === undefined)
        return await guardedFetch(url, { method: 'GET', headers: own, ...request }, request.seams);
      const body = new URLSearchParams(form).toString();
      const posted = { ...own, 'content-type': 'application/x-www-form-urlencoded' };
      return await guardedFetch(url, { method: 'POST', headers: posted, body, ...request }, request.seams);
    } catch (error) {
      if (error instanceof EgressError) throw new PullError('failed', error.adviceFor('sources'), error);
      throw error;
    }
  }

  private async authorization(): Promise<Record<string, string>> {
    const { auth } = this.settings;
    switch (auth.type) {
      case 'none':
        return {};
      case 'bearer':
        return { authorization: `Bearer ${this.secrets.token}` };
      case 'basic':
        return { authorization: basic(auth.username!, this.secrets.password!) };
      case 'oauth2':
        return { authorization: `Bearer ${await this.accessToken(auth)}` };
    }
  }

  /** By the client credentials grant, RFC 6749 §4.4; id and secret by HTTP Basic (§2.3.1). */
  private async accessToken({ client_id, token_url, scope }: SourceAuth): Promise<string> {
    const now = this.clock.monotonic();
    if (this.token !== undefined && now < this.token.until) return this.token.text;
    const encoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
    const form = { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) };
    const question = { url: token_url!, accept: 'application/json', form, maxBytes: largestTokenAnswer };
    const authorization = basic(encoded(client_id!), encoded(this.secrets.client_secret!));
    const response = await this.send(question, { authorization });
    if (response.status !== 200) {
      throw new PullError('failed', `The token endpoint answered ${response.status}.`);
    }
    const { access_token: text, expires_in: seconds } = readToken(await inflated(response, largestTokenAnswer));
    const lifetimeMs = (typeof seconds === 'number' && seconds > 0 ? seconds : defaultTokenSeconds) * 1000;
    this.token = { text, until: now + Math.max(lifetimeMs / 2, lifetimeMs - leewayMs) };
    return text;
  }
}

const largestTokenAnswer = 64 * 1024;
const defaultTokenSeconds = 60;
/** How long before its end a token is no longer used. */
const leewayMs = 15_000;

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function readToken(body: Buffer): { access_token: string; expires_in?: unknown } {
  const refused = new PullError('failed', 'The token endpoint answered with no access token.');
  try {
    const answer = JSON.parse(body.toString('utf8')) as { access_token?: unknown; expires_in?: unknown } | null;
    const token = answer?.access_token;
    // RFC 6750 §2.1; anything else is not sent as a header.
    if (typeof token !== 'string' || !/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) throw refused;
    return { ...answer, access_token: token };
  } catch {
    throw refused;
  }
}

async function inflated({ headers, body }: EgressResponse, maxBytes: number): Promise<Buffer> {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') throw new PullError('failed', 'It answered in an encoding it was not asked for.');
  try {
    return await inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const tooLarge = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new PullError(
      'failed',
      tooLarge ? `The answer is larger than ${maxBytes} bytes.` : 'It answered with broken gzip.',
    );
  }
}
