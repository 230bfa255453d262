import { readFileSync } from 'node:fs';
import { request } from 'node:https';

export interface SecureRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: string;
  readonly authorization: string;
  /** The certificate that is trusted: Node's `fetch` takes none. */
  readonly caFile: string;
  readonly body?: string;
  readonly contentType?: string;
}

/** The status of the answer to a request over https. */
export function securely({ method, url, authorization, caFile, body, contentType }: SecureRequest): Promise<number> {
  const headers = { authorization, ...(contentType === undefined ? {} : { 'content-type': contentType }) };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, ca: readFileSync(caFile), headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
