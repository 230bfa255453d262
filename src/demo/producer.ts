import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../domain/clock.js';
import { printable } from '../domain/ids.js';

/** One instance as its producer sees it. */
export interface PushedInstance {
  readonly name: string;
  readonly metricsId: string;
  /** Its page of now, in text format 0.0.4. */
  exposition(): string;
}

export interface ProducerOptions {
  /** The gateway's public URL. */
  readonly url: string;
  readonly projectId: string;
  /** A client that may `write:metrics`. */
  readonly clientId: string;
  readonly clientSecret: string;
  readonly instances: readonly PushedInstance[];
  readonly everyMs: number;
  readonly clock: Clock;
  /** The authority that signed the gateway's certificate, when it is none of the usual ones. */
  readonly ca?: Buffer;
  /** Takes a sentence when pushes begin to fail, fail otherwise, or are acknowledged again. */
  readonly say: (sentence: string) => void;
}

/** What a producer at a customer does: gets tokens with its own client, and pushes each instance's page on schedule. */
export class Producer {
  /** Resolves when every instance's page has been acknowledged once. */
  readonly acknowledged: Promise<void>;
  private readonly options: ProducerOptions;
  private readonly waitingFor: Set<PushedInstance>;
  private readonly agent: HttpAgent;
  private resolveAcknowledged = (): void => {};
  private token: { readonly value: string; readonly renewAt: number } | undefined;
  private trouble = '';

  constructor(options: ProducerOptions) {
    this.options = options;
    this.waitingFor = new Set(options.instances);
    const { url, ca } = options;
    this.agent = url.startsWith('https:')
      ? new HttpsAgent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
      : new HttpAgent({ keepAlive: true });
    this.acknowledged = new Promise((resolve) => {
      this.resolveAcknowledged = resolve;
    });
  }

  /** Pushes at once and then on schedule, whatever fails, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    let due = clock.monotonic();
    while (!signal.aborted) {
      await this.round(signal);
      if (this.waitingFor.size === 0) this.resolveAcknowledged();
      due += this.nextInMs;
      // After a round longer than the interval, or a sleep of the machine, nothing is made up for.
      if (due < clock.monotonic()) due = clock.monotonic() + this.nextInMs;
      await pause(due - clock.monotonic(), undefined, { signal }).catch(() => {});
    }
    this.agent.destroy();
  }

  /** The very first pushes are waited for. */
  private get nextInMs(): number {
    const { everyMs } = this.options;
    return this.waitingFor.size === 0 ? everyMs : Math.min(everyMs, firstRetryMs);
  }

  private async round(signal: AbortSignal): Promise<void> {
    const failed: string[] = [];
    const reasons = new Set<string>();
    for (const instance of this.options.instances) {
      try {
        await this.push(instance, signal);
        this.waitingFor.delete(instance);
      } catch (error) {
        if (signal.aborted) return;
        failed.push(instance.name);
        reasons.add(reasonOf(error));
      }
    }
    this.report(failed, [...reasons].join('; '));
  }

  /** A token that was good may be refused (revoked, or signed with a key that is gone): then a new one, once. */
  private async push(instance: PushedInstance, signal: AbortSignal): Promise<void> {
    const body = instance.exposition();
    let answer = await this.put(instance, body, signal);
    if (answer.status === 401) {
      this.token = undefined;
      answer = await this.put(instance, body, signal);
    }
    if (answer.status !== 200) throw new Error(`the push was answered with ${describe(answer)}`);
  }

  private async put({ metricsId }: PushedInstance, body: string, signal: AbortSignal): Promise<Answer> {
    const headers = {
      authorization: `Bearer ${await this.bearer(signal)}`,
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    };
    return this.send(
      `/api/v1/${this.options.projectId}/${metricsId}/metrics`,
      { method: 'PUT', headers, signal },
      body,
    );
  }

  private async bearer(signal: AbortSignal): Promise<string> {
    const { clock, clientId, clientSecret } = this.options;
    if (this.token !== undefined && clock.monotonic() < this.token.renewAt) return this.token.value;
    const askedAt = clock.monotonic();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const auth = `${clientId}:${clientSecret}`;
    const body = 'grant_type=client_credentials&scope=write%3Ametrics';
    const answer = await this.send('/oauth/token', { method: 'POST', headers, auth, signal }, body);
    if (answer.status !== 200) throw new Error(`the token request was answered with ${describe(answer)}`);
    const { access_token, expires_in } = JSON.parse(answer.text) as { access_token: string; expires_in: number };
    this.token = { value: access_token, renewAt: askedAt + (expires_in - renewBeforeEndSeconds) * 1000 };
    return access_token;
  }

  private send(path: string, options: RequestOptions, body: string): Promise<Answer> {
    const url = new URL(path, this.options.url);
    const headers = { ...options.headers, 'content-length': Buffer.byteLength(body) };
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return answerOf(start(url, { ...options, headers, agent: this.agent, timeout: answerWithinMs }), body);
  }

  private report(failed: readonly string[], reason: string): void {
    const { say } = this.options;
    const trouble = failed.length === 0 ? '' : `${failed.join(', ')}: ${reason}`;
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    if (trouble === '') say('Pushes are acknowledged again.');
    else say(`The push failed for ${trouble}. It is tried again.`);
  }
}

const renewBeforeEndSeconds = 60;
const firstRetryMs = 1_000;
const answerWithinMs = 10_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

function answerOf(request: ClientRequest, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString('utf8') }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${answerWithinMs / 1000} s`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** The status, and the sentence of an OAuth error or of problem+json. */
function describe({ status, text }: Answer): string {
  let sentence: unknown;
  try {
    const { error_description, detail } = JSON.parse(text) as Record<string, unknown>;
    sentence = error_description ?? detail;
  } catch {
    // Not JSON: the status must do.
  }
  return typeof sentence === 'string' ? `${status} (${printable(sentence, 200).replace(/\.$/, '')})` : `${status}`;
}

/** A connection refused under two addresses is an error without a message of its own. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || (code ?? 'the connection failed');
}
