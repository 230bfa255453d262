import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { type CountryResponse, Reader } from 'mmdb-lib';
import { atMost } from '../domain/bounded.js';
import { OperatorError } from '../domain/errors.js';
import { countryCode } from '../http/countries.js';
import type { Log } from '../telemetry/log.js';

const unknown = '';

/**
 * Countries by address, from a file in MaxMind's format (MaxMind DB 2.0) with their records: GeoLite2 and GeoIP2, Country or
 * City, and DB-IP's. Held in memory.
 */
export class CountryFile {
  private readonly path: string;
  private reader: Reader<CountryResponse>;
  private stamp: string;
  /** The same addresses come again and again. */
  private readonly known = new LRUCache<string, string>(atMost(10_000));

  /** Throws `OperatorError` when it cannot be read. */
  constructor(path: string) {
    this.path = path;
    try {
      this.stamp = stampOf(statSync(path));
      this.reader = new Reader<CountryResponse>(readFileSync(path));
    } catch (error) {
      throw new OperatorError(`The country file ${path} cannot be used: ${(error as Error).message}.`);
    }
  }

  readonly lookup = (address: string): string | undefined => {
    let code = this.known.get(address);
    if (code === undefined) {
      code = this.read(address) ?? unknown;
      this.known.set(address, code);
    }
    return code === unknown ? undefined : code;
  };

  /** A file that is damaged within costs the tag, not the request. */
  private read(address: string): string | undefined {
    try {
      const found = this.reader.get(address);
      return countryCode(found?.country?.iso_code ?? found?.registered_country?.iso_code ?? '');
    } catch {
      return undefined;
    }
  }

  /** Takes up a file that was changed; one that cannot be read is logged, and the old one stays. */
  async refresh(log: Log): Promise<void> {
    try {
      const stamp = stampOf(await stat(this.path));
      if (stamp === this.stamp) return;
      this.stamp = stamp;
      this.reader = new Reader<CountryResponse>(await readFile(this.path));
      this.known.clear();
      log.info({ file: this.path }, 'took up the changed country file');
    } catch (error) {
      log.error({ err: error, file: this.path }, 'the changed country file cannot be used; the old one stays');
    }
  }
}

const stampOf = ({ mtimeMs, size }: { mtimeMs: number; size: number }): string => `${mtimeMs} ${size}`;
