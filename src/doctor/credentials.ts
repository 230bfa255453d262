import { reasonAdvice } from '../domain/access-advice.js';
import { type Finding, linked, ok, problem, warning } from './finding.js';
import type { Records } from './records.js';
import type { Reply, Wire } from './wire.js';

export interface PresentedSecret {
  readonly clientId: string;
  /** The secret file, byte for byte. */
  readonly raw: string;
}

export interface Token {
  readonly token: string;
  readonly scopes: readonly string[];
}

export interface TokenWalk {
  readonly findings: readonly Finding[];
  readonly token: Token | undefined;
}

/** Looks at the secret, then asks for a token in both ways that scrapers do. */
export async function obtainToken(
  url: URL,
  secret: PresentedSecret,
  wire: Wire,
  records: Records | undefined,
): Promise<TokenWalk> {
  const findings: Finding[] = [look(secret)];
  let token: Token | undefined;
  for (const way of ['Basic', 'body'] as const) {
    const reply = await ask(url, secret, way, wire).catch((error: Error) => error);
    const check = `token by ${way}`;
    if (reply instanceof Error) {
      findings.push(
        problem(check, `no answer: ${reply.message}`, {
          cause: 'The connection ended before the answer: a proxy or the gateway gave up.',
          cure: "Look at the proxy's and the gateway's log.",
        }),
      );
      continue;
    }
    const answer = parse(reply);
    if (reply.status === 200 && typeof answer.access_token === 'string') {
      token = { token: answer.access_token, scopes: String(answer.scope ?? '').split(' ') };
      findings.push(ok(check, `granted for ${String(answer.expires_in)} s: ${String(answer.scope)}`));
    } else findings.push(linked(await refused(check, reply, answer, secret, records), answer.error_uri));
  }
  if (token !== undefined && !token.scopes.includes('read:metrics')) {
    findings.push(problem('scopes', token.scopes.join(' '), reasonAdvice.insufficient_scope));
  } else if (token !== undefined) findings.push(ok('scopes', token.scopes.join(' ')));
  return { findings, token };
}

/** What is wrong with the text itself. */
function look({ clientId, raw }: PresentedSecret): Finding {
  const secret = raw.trim();
  if (secret === '') {
    return problem('secret', 'the secret file is empty', {
      cause: 'It was never written, or the mount that should bring it is not there.',
      cure: 'Write the secret to it; "weir client rotate" makes a new one.',
    });
  }
  if (clientId.startsWith('weir_cs_') || secret.startsWith('weir_cid_')) {
    return problem('secret', 'client id and secret are swapped', {
      cause: 'Ids begin with weir_cid_, secrets with weir_cs_.',
      cure: 'Exchange them.',
    });
  }
  if (/\s/.test(secret)) {
    return problem('secret', 'the secret has blanks within it', {
      cause: 'It was broken over two lines, or the file holds more than the secret.',
      cure: 'Put the secret alone into the file, on one line.',
    });
  }
  if (secret !== raw) {
    return warning('secret', 'the secret file has blanks or a newline around the secret', {
      cause: 'Prometheus, Alloy and this command cut them off; the Datadog Agent and curl send them.',
      cure: 'Write the file without them: printf %s "$SECRET" > file.',
    });
  }
  if (!secret.startsWith('weir_cs_')) {
    return warning('secret', 'the secret does not look like one of Weir', {
      cause: 'Secrets begin with weir_cs_; this may be a token or the secret of another service.',
      cure: 'Compare with what "weir client create" or "weir client rotate" printed.',
    });
  }
  return ok('secret', `${secret.length} characters`);
}

function ask(url: URL, { clientId, raw }: PresentedSecret, way: 'Basic' | 'body', wire: Wire): Promise<Reply> {
  const secret = raw.trim();
  const form = { grant_type: 'client_credentials' };
  const inBody = way === 'body' ? { client_id: clientId, client_secret: secret } : {};
  const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
  return wire.ask(new URL('/oauth/token', url), {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(way === 'Basic' ? { authorization: basic } : {}),
    },
    body: new URLSearchParams({ ...form, ...inBody }).toString(),
  });
}

async function refused(
  check: string,
  { status }: Reply,
  answer: Record<string, unknown>,
  { clientId, raw }: PresentedSecret,
  records: Records | undefined,
): Promise<Finding> {
  const error = typeof answer.error === 'string' ? answer.error : undefined;
  const found = error === undefined ? `status ${status}` : `${status} ${error}`;
  if (error === 'invalid_client') {
    const known = await records?.whyRefused(clientId, raw.trim());
    return problem(check, known?.found ?? found, known ?? reasonAdvice.wrong_credentials);
  }
  if (status === 429) return problem(check, found, reasonAdvice.guessing);
  if (status === 503) return problem(check, found, reasonAdvice.unavailable);
  if (error === 'invalid_scope') return problem(check, found, reasonAdvice.invalid_scope);
  if (error !== undefined) {
    const said = String(answer.error_description ?? '');
    return problem(check, found, { cause: said, cure: reasonAdvice.invalid_request.cure });
  }
  return problem(check, found, {
    cause: 'That is no answer of a Weir: a proxy, a login page or another service stands at /oauth/token.',
    cure: 'Let the proxy pass /oauth/token and /api/ on to Weir without asking for a login of its own.',
  });
}

function parse({ body }: Reply): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
