import { isUtf8 } from 'node:buffer';
import { OAuthError } from './oauth-error.js';
import { isKnownParameter, repeatedParameter, type TokenParameters } from './token-request.js';

/** Nobody's token request has more; what is nested deeper costs nothing but this look at it. */
const deepest = 4;

/**
 * Reads a JSON body as Auth0's clients send it: an object whose members are the parameters of the form, with the form's
 * rules. Each is a text and stands there once, empty ones are left out, unknown ones ignored whatever they are. Throws
 * `invalid_request`.
 */
export function readJsonParameters(body: Buffer): TokenParameters {
  if (!isUtf8(body)) throw new OAuthError('invalid_request', 'The body is not valid UTF-8 text.');
  const text = body.toString('utf8');
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    throw new OAuthError('invalid_request', 'The body is not valid JSON.');
  }
  if (members === null || typeof members !== 'object' || Array.isArray(members)) {
    throw new OAuthError('invalid_request', 'The JSON body must be an object.');
  }
  // JSON.parse takes the last of several: a proxy in front may have looked at the first.
  const seen = new Set<string>();
  for (const literal of memberNames(text)) {
    const name = JSON.parse(literal) as string;
    if (seen.has(name)) throw repeatedParameter(name);
    seen.add(name);
  }
  const parameters = new Map<string, string>();
  for (const [name, value] of Object.entries(members)) {
    if (!isKnownParameter(name)) continue;
    if (typeof value !== 'string') throw new OAuthError('invalid_request', `The parameter ${name} must be a text.`);
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

/**
 * The names of the outermost object as they are written; refuses what is nested too deeply. To be asked of what has been
 * parsed only: in a text that never ends, every escaped quote would be tried as the beginning of one.
 */
function memberNames(text: string): string[] {
  const names: string[] = [];
  let depth = 0;
  let before = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]/gs)) {
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
    if (depth > deepest) throw new OAuthError('invalid_request', `The JSON body is nested deeper than ${deepest}.`);
    if (depth === 1 && token.startsWith('"') && (before === '{' || before === ',')) names.push(token);
    before = token;
  }
  return names;
}
