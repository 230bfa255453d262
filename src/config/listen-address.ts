import { isIPv4, isIPv6 } from 'node:net';
import { WeirError } from '../domain/errors.js';

/** `host:port`; no host means every interface. Throws `invalid`. */
export function parseListenAddress(text: string): { host: string | undefined; port: number } {
  const [, host, port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535 || !isHost(host)) {
    throw new WeirError(
      'invalid',
      `${JSON.stringify(text)} is not a listen address; write host:port with a port from 0 to 65535, such as 127.0.0.1:8460, ` +
        '[::1]:8460, or :8460 for every interface.',
    );
  }
  return { host: host === '' ? undefined : host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function isHost(host: string): boolean {
  if (host === '') return true;
  if (host.startsWith('[') && host.endsWith(']')) return isIPv6(host.slice(1, -1));
  if (/^[\d.]+$/.test(host)) return isIPv4(host);
  return /^[\w-]+(\.[\w-]+)*$/.test(host);
}
