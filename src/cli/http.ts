import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { OperatorError } from '../domain/errors.js';

export interface Sent {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `id:secret` for HTTP Basic. */
  readonly auth?: string;
  readonly body?: string;
  /** A certificate to trust beside those of the system. */
  readonly caFile?: string | undefined;
}

export interface Received {
  readonly status: number;
  readonly text: string;
}

/** One request; throws `OperatorError` when there is no answer. */
export function send(url: URL, { method, headers = {}, auth, body = '', caFile }: Sent): Promise<Received> {
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
  const options = {
    method,
    headers: { ...headers, ...length },
    timeout: 10_000,
    ...(auth === undefined ? {} : { auth }),
    ...(caFile === undefined ? {} : { ca: readCa(caFile) }),
  };
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new OperatorError(`${url} cannot be reached: ${error.message}. Is "weir serve" running there?`));
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      );
      response.on('error', failed);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', failed);
    request.end(body);
  });
}

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new OperatorError(`The certificate ${file} cannot be read: ${(error as Error).message}.`);
  }
}

/** The secret in a file, or on standard input for "-". */
export function readSecret(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (error) {
    throw new OperatorError(`The secret file ${file} cannot be read: ${(error as Error).message}.`);
  }
}

/** JSON if it is an object, otherwise an empty one. */
export function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A sentence of the server, with the place where it says more, if it named one. */
export const withLink = (sentence: string, link: unknown): string =>
  typeof link === 'string' && /^https?:\/\//.test(link) ? `${sentence} See ${link}` : sentence;
