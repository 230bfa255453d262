import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Command } from 'commander';
import { OperatorError } from '../domain/errors.js';
import { onStore, withStore } from './common.js';

interface TokenOptions {
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly url?: string;
  readonly scope?: string;
  readonly caFile?: string;
  readonly format: 'table' | 'json';
}

export function tokenCommand(): Command {
  const token = onStore(new Command('token')).description('Print an access token from the running server.');
  token
    .requiredOption('--client-id <id>', 'The client.')
    .requiredOption('--client-secret-file <file>', 'A file with its secret; "-" for standard input.')
    .option('--url <url>', 'Where the server is; as it last said in the store when left out. [WEIR_URL]')
    .option('--scope <scopes>', 'Scopes to ask for, with blanks between; all of the client when left out.')
    .option('--ca-file <file>', 'Certificate to trust beside those of the system.');
  token.action(async (options: TokenOptions) => {
    const given = options.url ?? process.env.WEIR_URL;
    if (given !== undefined) return print(await fetchToken(given, options), options);
    await withStore(token, async ({ externalUrl }) => print(await fetchToken(externalUrl, options), options));
  });
  return token;
}

function print(response: TokenAnswer, { format }: TokenOptions): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(response, null, 2)}\n` : `${response.access_token}\n`);
}

interface TokenAnswer {
  readonly access_token: string;
}

async function fetchToken(url: string, options: TokenOptions): Promise<TokenAnswer> {
  const { clientId, scope, caFile } = options;
  const secret = readSecret(options.clientSecretFile);
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) });
  const target = tokenUrl(url);
  const { status, text } = await post(target, body.toString(), `${clientId}:${secret}`, caFile);
  const answer = parse(text);
  if (status !== 200 || typeof answer.access_token !== 'string') {
    const why = answer.error === undefined ? `status ${status}` : `${answer.error}: ${answer.error_description ?? ''}`;
    throw new OperatorError(`${target} gave no token (${why}).`);
  }
  return answer as unknown as TokenAnswer;
}

function readSecret(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (error) {
    throw new OperatorError(`The secret file ${file} cannot be read: ${(error as Error).message}.`);
  }
}

function tokenUrl(url: string): URL {
  const base = url.replace(/\/+$/, '');
  try {
    return new URL(base.endsWith('/oauth/token') ? base : `${base}/oauth/token`);
  } catch {
    throw new OperatorError(`"${url}" is not a URL; write it like http://127.0.0.1:8460.`);
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function post(
  url: URL,
  body: string,
  auth: string,
  caFile: string | undefined,
): Promise<{ status: number; text: string }> {
  const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
  const options = { method: 'POST', headers, auth, timeout: 10_000, ...ca };
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
