import type { AccessEntry } from '../domain/access.js';
import type { Advice } from '../domain/access-advice.js';

/** An entry of the access log, with who asked. */
export interface Asked extends AccessEntry {
  readonly clientId: string;
  /** Since the one before of the same client and page, if there was one. */
  readonly intervalMs: number | null;
}

/** What the gateway itself knows; not there for who has only a client. */
export interface Records {
  hasProject(): Promise<boolean>;
  /** Why the credentials were refused, as far as can be told. */
  whyRefused(clientId: string, secret: string): Promise<(Advice & { readonly found: string }) | undefined>;
  /** Of the project, newest first. */
  lastAsked(): Promise<readonly Asked[]>;
  /** How many series the endpoint may have, or without one the project; 0 for no limit. */
  seriesLimit(metricsId: string | undefined): Promise<number>;
}
