import { clientAddress, type TrustedProxies } from './client-address.js';
import { type Ctx, header } from './context.js';

export interface CountriesOptions {
  /** Of a header that proxies set, in lower case. */
  readonly header: string | undefined;
  /** By address; `undefined` when the operator has no such table. */
  readonly lookup: ((address: string) => string | undefined) | undefined;
  readonly trustedProxies: TrustedProxies;
}

/** Which country requests come from, where the operator has said how to tell. */
export class Countries {
  private readonly options: CountriesOptions;
  /** Whether anything can be told at all. */
  readonly areKnown: boolean;

  constructor(options: CountriesOptions) {
    this.options = options;
    this.areKnown = options.header !== undefined || options.lookup !== undefined;
  }

  /** ISO 3166-1 alpha-2; `undefined` when nobody knows. A proxy that is trusted knows better than the table. */
  of(c: Ctx): string | undefined {
    if (!this.areKnown) return undefined;
    const { lookup, trustedProxies } = this.options;
    return (
      this.said(c) ??
      lookup?.(clientAddress(c.env.incoming.socket.remoteAddress, c.env.incoming.headers, trustedProxies))
    );
  }

  /** For tags: absent when nobody knows. */
  tag(c: Ctx): { readonly country_code?: string } {
    const country = this.of(c);
    return country === undefined ? {} : { country_code: country };
  }

  private said(c: Ctx): string | undefined {
    const { header: name, trustedProxies } = this.options;
    const text = name === undefined ? undefined : header(c, name);
    if (text === undefined) return undefined;
    const peer = clientAddress(c.env.incoming.socket.remoteAddress, {}, trustedProxies);
    return trustedProxies.has(peer) ? countryCode(text) : undefined;
  }
}

/** Upper case; `undefined` for what is none, and for what stands for "unknown" (XX at Cloudflare, ZZ). */
export function countryCode(text: string): string | undefined {
  const code = text.trim().toUpperCase();
  return /^[A-Z]{2}$/.test(code) && code !== 'XX' && code !== 'ZZ' ? code : undefined;
}
