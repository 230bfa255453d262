import { placesOf, type SnippetFacts } from './facts.js';
import { shellWord } from './quote.js';
import type { Snippet } from './snippet.js';

export interface CurlOptions extends SnippetFacts {
  /** Whether to pass by a proxy that the environment names. */
  readonly noProxy?: boolean;
}

/** Lines that need nothing but curl, sed and a shell, each of them alone. curl hides `-u` from the list of processes. */
export function curlLines(options: CurlOptions): { token: string; pages: readonly string[] } {
  const { tokenUrl, pages, isHttps } = placesOf(options);
  const curl = [
    'curl -sS',
    ...(options.noProxy ? ["--noproxy '*'"] : []),
    ...(options.caFile === undefined || !isHttps ? [] : [`--cacert ${shellWord(options.caFile)}`]),
  ].join(' ');
  const secret = `"$(cat ${shellWord(options.secretFile)})"`;
  const form = '-d grant_type=client_credentials -d scope=read:metrics';
  const token = `${curl} -u ${shellWord(options.clientId)}:${secret} ${form} ${shellWord(tokenUrl)}`;
  const bearer = `Bearer $(${token} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`;
  return { token, pages: pages.map(({ url }) => `${curl} -H "Authorization: ${bearer}" ${shellWord(url)}`) };
}

export const curl: Snippet = {
  tool: 'curl',
  title: 'curl, to try it by hand',
  file: 'weir.sh',
  mediaType: 'text/plain',
  text: (facts) => {
    const { token, pages } = curlLines(facts);
    return `# The secret stands in ${shellWord(facts.secretFile)}, a file with nothing else in it.
# Each line works by itself. A token lives 15 minutes, and is one request: a scraper keeps it until it ends.

# A token:
${token}

# ${pages.length === 1 ? 'The page, with a token of its own' : 'The pages, each with a token of its own'}:
${pages.join('\n')}
`;
  },
};
