import { intervalReason, placesOf, timeoutSeconds } from './facts.js';
import { literal, shellWord } from './quote.js';
import type { Snippet } from './snippet.js';

export const node: Snippet = {
  tool: 'node',
  title: 'Node 18 or newer, with nothing but what comes with it',
  file: 'scrape.mjs',
  mediaType: 'text/plain',
  text: (facts) => {
    const { tokenUrl, pages, isHttps } = placesOf(facts);
    const trust =
      facts.caFile === undefined || !isHttps
        ? ''
        : `// Node takes further authorities from its environment: NODE_EXTRA_CA_CERTS=${shellWord(facts.caFile)}\n`;
    return `// Prints the metrics once: node scrape.mjs. \`scrape\` may be called as often as you like.
${trust}import { readFileSync } from ${literal('node:fs')};

const clientId = ${literal(facts.clientId)};
const secretFile = ${literal(facts.secretFile)}; // the client secret and nothing else
const tokenUrl = ${literal(tokenUrl)};
const pages = [${pages.map(({ url }) => literal(url)).join(', ')}];
// ${intervalReason(facts)}
export const intervalMs = ${facts.intervalSeconds * 1000};
const timeoutMs = ${timeoutSeconds(facts) * 1000};

let token = { value: '', renewAt: 0 };

/** The same until a minute before its end: one request for tokens in 14 minutes is enough. */
async function bearer() {
  if (token.renewAt < Date.now()) {
    const secret = readFileSync(secretFile, 'utf8').trim();
    const login = Buffer.from(\`\${clientId}:\${secret}\`).toString('base64');
    const response = await fetch(tokenUrl, {
      method: 'POST',
      headers: { authorization: \`Basic \${login}\` },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read:metrics' }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(\`no token: \${response.status} \${await response.text()}\`);
    const { access_token, expires_in } = await response.json();
    token = { value: access_token, renewAt: Date.now() + (expires_in - 60) * 1000 };
  }
  return \`Bearer \${token.value}\`;
}

export async function scrape(page) {
  const headers = { authorization: await bearer() };
  const response = await fetch(page, { headers, signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(\`no page: \${response.status} \${await response.text()}\`);
  return response.text();
}

for (const page of pages) process.stdout.write(await scrape(page));
`;
  },
};
