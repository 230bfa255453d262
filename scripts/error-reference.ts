// Writes docs/errors.md: npx tsx scripts/error-reference.ts
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { type ErrorTopic, errorChapters, statusOfTopic } from '../src/http/error-reference/entries.js';
import type { ErrorEntry } from '../src/http/error-reference/entry.js';

/** The page, with the anchors of the gateway's own. */
export function errorReference(): string {
  const chapters = errorChapters.map(
    ({ title, entries }) => `## ${title}\n\n${entries.map(([topic, entry]) => section(topic, entry)).join('')}`,
  );
  return `${head}${chapters.join('')}`.replace(/\n+$/, '\n');
}

const head = `# What errors mean

<!-- written by npx tsx scripts/error-reference.ts -->

Every error of the gateway links to its entry: \`error_uri\` where a token is refused (RFC 6749 §5.2) and in the bearer challenge
(RFC 6750 §3), \`type\` elsewhere (RFC 9457), the end of the message in OTLP. The gateway serves this page itself, at
\`/docs/errors\`, for everybody. Whoever has a page of their own names it with \`--web.docs-url\`; it needs these anchors. What tools
show was tried with the versions that [troubleshooting.md](troubleshooting.md) names.

`;

function section(topic: ErrorTopic, { means, seen = {}, causes }: ErrorEntry): string {
  const shown = Object.entries(seen).map(([tool, words]) => `- ${tool} shows \`${words}\`\n`);
  const list = causes.map(({ cause, cure }) => `| ${cause} | ${cure} |\n`);
  return `### <a id="${topic}"></a>\`${topic}\` (${statusOfTopic(topic)})\n\n${means}\n\n${
    shown.length === 0 ? '' : `${shown.join('')}\n`
  }| why | what to do |\n| --- | --- |\n${list.join('')}\n`;
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  writeFileSync(new URL('../docs/errors.md', import.meta.url), errorReference());
}
