import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { Advice } from '../../domain/access-advice.js';
import { type ErrorChapter, type ErrorTopic, errorChapters, statusOfTopic } from './entries.js';
import type { ErrorEntry } from './entry.js';

/** `GET /docs/errors`: the same for everybody, without scripts, cookies or anything from elsewhere. */
export const getErrorReference = (): Response => new Response(body, { headers });

const style = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
nav ul { columns: 14rem; padding-left: 1.2rem; }
section { border-top: 1px solid #8886; padding: 0.1rem 0.8rem 0.6rem; }
section:target { background: #fd04; }
dt { font-weight: 600; margin-top: 0.6rem; }
dd { margin-left: 1rem; }
`;

const text = String(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Weir: what errors mean</title>
<style>${raw(style)}</style>
</head>
<body>
<h1>What errors mean</h1>
<p>Every error of this gateway links to its entry here: <code>error_uri</code> where a token is refused,
<code>type</code> elsewhere. "weir doctor" walks the path a scraper takes, and names the cause itself.</p>
<nav aria-label="Errors">${errorChapters.map(contents)}</nav>
${errorChapters.map(chapter)}
</body>
</html>
`);

const body = Buffer.from(text);

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'public, max-age=300',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

function contents({ id, title, entries }: ErrorChapter) {
  const link = ([topic]: readonly [ErrorTopic, ErrorEntry]) => html`<li><a href="#${topic}">${topic}</a></li>
`;
  return html`<p><a href="#${id}">${title}</a></p>
<ul>
${entries.map(link)}</ul>
`;
}

function chapter({ id, title, entries }: ErrorChapter) {
  return html`<h2 id="${id}">${title}</h2>
${entries.map(([topic, entry]) => section(topic, entry))}`;
}

function section(topic: ErrorTopic, { means, seen = {}, causes }: ErrorEntry) {
  const shown = Object.entries(seen);
  return html`<section id="${topic}">
<h3><code>${topic}</code> (${statusOfTopic(topic)})</h3>
<p>${means}</p>
${shown.length === 0 ? '' : seenList(shown)}<dl>
${causes.map(advice)}</dl>
</section>
`;
}

function seenList(shown: readonly (readonly [string, string])[]) {
  const item = ([tool, words]: readonly [string, string]) => html`<li>${tool} shows <code>${words}</code></li>
`;
  return html`<ul>
${shown.map(item)}</ul>
`;
}

function advice({ cause, cure }: Advice) {
  return html`<dt>${cause}</dt>
<dd>${cure}</dd>
`;
}
