import { WeirError } from '../domain/errors.js';
import { selects } from '../formats/selector.js';
import type { Selection } from '../scrape/pages.js';

/** More than a person writes; what Prometheus scrapes stands in one line of its configuration. */
const mostSelectors = 32;
const longestQuery = 8192;
const field = 'match[]';

/**
 * The `match[]` of a URL, if there are any. Throws `invalid` when there is a token in it (RFC 9700 §4.3.2: it ends up in
 * logs). Nothing of them is looked at before it is known who asks.
 */
export function readQuery(url: string): string[] | undefined {
  const question = url.indexOf('?');
  if (question === -1) return undefined;
  const parameters = new URLSearchParams(url.slice(question + 1));
  if (parameters.has('access_token')) {
    throw new WeirError('invalid', 'Tokens are not taken from the URL; send the Authorization header.', {
      field: 'access_token',
    });
  }
  return parameters.has(field) ? parameters.getAll(field) : undefined;
}

/** The union of the selectors; throws `invalid`, for what is wrong with one of them when it is compiled. */
export function selectionOf(selectors: readonly string[]): Selection {
  if (selectors.length > mostSelectors) {
    throw new WeirError('invalid', `There are ${selectors.length} selectors; at most ${mostSelectors} are taken.`, {
      field,
    });
  }
  const sorted = [...new Set(selectors)].sort();
  const key = JSON.stringify(sorted);
  if (key.length > longestQuery) {
    throw new WeirError('invalid', `The selectors have more than ${longestQuery} characters.`, { field });
  }
  return {
    key,
    compile: () => {
      try {
        return selects(sorted);
      } catch (error) {
        throw error instanceof WeirError ? new WeirError('invalid', error.message, { field }) : error;
      }
    },
  };
}
