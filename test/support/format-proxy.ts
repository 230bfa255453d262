import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Programs } from './programs.js';

export interface FormatProxy {
  readonly url: string;
  /** The content types of the pages that went through. */
  readonly contentTypes: ReadonlySet<string>;
}

/**
 * An http proxy to put between Prometheus and the gateway: notes in which format pages come, and asks for another one
 * than Prometheus does when `accept` is given (2.42 prefers OpenMetrics and has no setting for it).
 */
export async function startFormatProxy(programs: Programs, accept?: string): Promise<FormatProxy> {
  const contentTypes = new Set<string>();
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, ...(accept === undefined ? {} : { accept }) };
    const upstream = request(incoming.url!, { method: incoming.method, headers }, (page) => {
      contentTypes.add(page.headers['content-type'] ?? 'none');
      outgoing.writeHead(page.statusCode!, page.headers);
      page.pipe(outgoing);
    });
    upstream.on('error', () => outgoing.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  programs.atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, contentTypes };
}
