import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the bare server answers, whatever it is asked. */
export interface Answer {
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

// The reference for scrapes: node:http, no routes, no authentication, one prepared body with prepared headers.
const answer = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Answer;
const body = Buffer.from(answer.body, 'base64');

const server = createServer((_request, response) => {
  response.writeHead(200, answer.headers);
  response.end(body);
});
// As long as the gateway's, so that the Keep-Alive header is the same as well.
server.keepAliveTimeout = 310_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
