import { OperatorError } from '../domain/errors.js';
import { parseObject, readSecret, send, withLink } from './http.js';

export interface TokenWish {
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly scope?: string | undefined;
  readonly caFile?: string | undefined;
}

export interface TokenAnswer {
  readonly access_token: string;
}

/** A token by client credentials from the server at the URL, which may be that of the token endpoint itself. */
export async function fetchToken(url: string, wish: TokenWish): Promise<TokenAnswer> {
  const { clientId, clientSecretFile, scope, caFile } = wish;
  const secret = readSecret(clientSecretFile);
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) });
  const target = tokenUrl(url);
  const { status, text } = await send(target, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    auth: `${clientId}:${secret}`,
    body: body.toString(),
    caFile,
  });
  const answer = parseObject(text);
  if (status !== 200 || typeof answer.access_token !== 'string') {
    const why = answer.error === undefined ? `status ${status}` : `${answer.error}: ${answer.error_description ?? ''}`;
    throw new OperatorError(withLink(`${target} gave no token (${why}).`, answer.error_uri));
  }
  return answer as unknown as TokenAnswer;
}

function tokenUrl(url: string): URL {
  const base = url.replace(/\/+$/, '');
  try {
    return new URL(base.endsWith('/oauth/token') ? base : `${base}/oauth/token`);
  } catch {
    throw new OperatorError(`"${url}" is not a URL; write it like http://127.0.0.1:8460.`);
  }
}
