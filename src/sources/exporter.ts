import type { SourceSettings } from '../domain/source.js';
import { pushSyntax } from '../formats/negotiate.js';
import type { Connection } from './connection.js';
import { PullError, type Pulled } from './pulled.js';

/** As Prometheus asks. */
const accept = 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.6,*/*;q=0.1';

/** Fetches the page of an exporter. */
export const pullExporter =
  (connection: Connection, { url, timeoutMs }: Pick<SourceSettings, 'url' | 'timeoutMs'>) =>
  async (maxBytes: number): Promise<Pulled> => {
    const headers = { 'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000) };
    const { headers: answered, body } = await connection.ask({ url, accept, headers, maxBytes });
    const syntax = pushSyntax(answered['content-type']);
    if (syntax === undefined) throw new PullError('failed', 'It answered with something that is no metrics page.');
    return { body, syntax, warnings: [] };
  };
