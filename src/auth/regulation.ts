import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/bounded.js';
import type { Clock } from '../domain/clock.js';
import type { Ban, BanStore, Change } from '../storage/store.js';
import { SharedBans } from './shared-bans.js';

/** For the log, the metrics and the audit. */
export type BanEvent =
  | { readonly type: 'banned'; readonly ban: Ban }
  /** Somebody took it out of the store before its end. */
  | { readonly type: 'lifted'; readonly ban: Ban }
  /** It holds in this process, but no other learns of it. */
  | { readonly type: 'not-stored'; readonly ban: Ban; readonly error: unknown };

/** A secret that was found wrong, and where it stood. Of Basic, the form-urlencoded reading: Go's client encodes. */
export interface WrongSecret {
  readonly method: 'basic' | 'body';
  readonly secret: string;
}

export type Verdict = { readonly banned: false } | { readonly banned: true; readonly retryAfterSeconds: number };

export interface RegulationOptions {
  /** How many wrong secrets for one client id from one address are answered 401 within `withinMs`; 0: all of them. */
  readonly limit: number;
  readonly withinMs: number;
  readonly banMs: number;
  /** Client ids of one address that are counted each by itself; further ones are counted together. */
  readonly clientsPerAddress: number;
  /** Addresses that are remembered: as many with bans, and as many without. */
  readonly addresses: number;
  readonly store: BanStore;
  readonly clock: Clock;
  /** A hash under a key that all processes on the store have. */
  readonly mac: (text: string) => Buffer;
  /** Called in the middle of a request: must neither throw nor wait. */
  readonly report: (event: BanEvent) => void;
}

export const regulationDefaults = {
  limit: 20,
  withinMs: 5 * 60_000,
  banMs: 5 * 60_000,
  clientsPerAddress: 30,
  addresses: 10_000,
} as const;

/** The client id of a ban for all those from its address that have no count of their own. */
export const otherClients = '*';

/** golang/oauth2 sends its second probe as soon as the first is answered. */
const probeMs = 5000;

/**
 * Throttles the guessing of secrets, in the manner of Authelia but without locking anybody out: it is asked only after a
 * secret was found wrong, so that a right one always works. The first `limit` wrong ones within `withinMs` are answered
 * 401; the next starts a ban and is answered 429, as are all until it ends. They do not prolong it. Client ids are
 * counted as presented, whether they exist or not, so that the answers do not tell.
 *
 * Memory is bounded such that inventing client ids flushes out no count and no ban: each address has places for some
 * ids, free again only when the time of their count or ban is over, and all further ids share one count. A full table of
 * addresses forgets the one that failed longest ago; those with bans push out only one another. So a count can be
 * flushed out with thousands of addresses only, and whoever has them gains more by guessing from each. The same bounds
 * what a flood writes to the store.
 *
 * Bans are kept in the store and hold in all processes on it; counts are each process's own and end with it.
 */
export class Regulation {
  private readonly options: RegulationOptions;
  private readonly suspects: LRUCache<string, Source>;
  private readonly banned: LRUCache<string, Source>;
  private readonly shared: SharedBans;

  constructor(options: RegulationOptions) {
    this.options = options;
    const { store, clock } = options;
    this.shared = new SharedBans({ store, clock, takeOver: (listed, asked) => this.takeOver(listed, asked) });
    this.suspects = new LRUCache(atMost(options.addresses));
    this.banned = new LRUCache(atMost(options.addresses));
  }

  /** After a wrong secret, not after a wrong scope or a malformed request. A ban is answered 429, all else 401. */
  failed(clientId: string, address: string, wrong: WrongSecret): Verdict {
    const { limit, withinMs, clock } = this.options;
    if (limit === 0) return notBanned;
    const now = clock.monotonic();
    const from = banAddress(address);
    const source = this.source(from, now);
    const tally = this.tally(source, this.idOf(clientId), now);
    if (lasts(tally.ban, now)) return bannedFor(tally.ban.until - now);
    tally.ban = undefined;
    // Short, as an address may have hundreds; without the key nobody finds two that are alike.
    const probe = this.options.mac(`probe ${clientId}\n${wrong.secret}`).readInt32BE(0);
    if (wrong.method === 'body' && isSecondProbe(tally, probe, now)) return notBanned;
    const over = tally.failures.filter((at) => at <= now - withinMs).length;
    // Made anew, for an array that grows makes room for many more.
    tally.failures = tally.failures.slice(over).concat(now);
    tally.awaited = tally.awaited.slice(over).concat(wrong.method === 'basic' ? probe : undefined);
    source.until = Math.max(source.until, now + withinMs);
    if (tally.failures.length <= limit) return notBanned;
    this.ban(from, source, tally);
    return bannedFor(this.options.banMs);
  }

  /** After a right secret: the pair counts from zero. Its ban stays, for it may be another's behind the same address. */
  succeeded(clientId: string, address: string): void {
    if (this.suspects.size === 0 && this.banned.size === 0) return;
    const from = banAddress(address);
    const source = this.banned.peek(from) ?? this.suspects.peek(from);
    const id = this.idOf(clientId);
    if (source?.clients.get(id)?.ban === undefined) source?.clients.delete(id);
  }

  /** Takes over what other processes banned and lifted; the first time, what was banned before this one began. */
  reload(): Promise<void> {
    return this.shared.read();
  }

  /** The same, if the change log tells of bans that others made or lifted; `undefined` means that anything may have changed. */
  follow(changes: readonly Change[] | undefined): Promise<void> {
    return this.shared.follow(changes);
  }

  /** Forgets what is over. To be called now and then: an address that never fails again would keep its memory. */
  sweep(): void {
    const now = this.options.clock.monotonic();
    for (const table of [this.suspects, this.banned]) {
      for (const [address, source] of table.entries()) {
        if (source.until <= now) table.delete(address);
      }
    }
  }

  /** Resolves when every ban so far is in the store or was reported as `not-stored`. */
  settled(): Promise<void> {
    return this.shared.settled();
  }

  /** A foreign id cannot be a client's, and may be a secret in the wrong place: it is not kept. */
  private idOf(clientId: string): string {
    if (/^weir_cid_[\w-]{1,64}$/.test(clientId)) return clientId;
    return `foreign:${this.options.mac(`foreign ${clientId}`).toString('base64url').slice(0, 16)}`;
  }

  /** What is known of the address: among the banned only as long as one of its bans lasts. */
  private source(address: string, now: number): Source {
    let source = this.banned.get(address);
    if (source !== undefined) {
      if (talliesOf(source).some(({ ban }) => lasts(ban, now))) return source;
      this.banned.delete(address);
    }
    source ??= this.suspects.get(address) ?? { clients: new Map(), others: newTally(otherClients), until: now };
    this.suspects.set(address, source);
    return source;
  }

  /** Where the client id is counted. */
  private tally(source: Source, clientId: string, now: number): Tally {
    const { clients } = source;
    const own = clients.get(clientId);
    if (own !== undefined) return own;
    const { clientsPerAddress, withinMs } = this.options;
    if (clients.size >= clientsPerAddress) {
      for (const { clientId, failures, ban } of clients.values()) {
        const last = failures.at(-1) ?? -Infinity;
        if (!lasts(ban, now) && last <= now - withinMs) clients.delete(clientId);
      }
      if (clients.size >= clientsPerAddress) return source.others;
    }
    const added = newTally(clientId);
    clients.set(clientId, added);
    return added;
  }

  private ban(address: string, source: Source, tally: Tally): void {
    const { clock, banMs, report } = this.options;
    const createdAt = clock.now();
    const ban: Ban = { clientId: tally.clientId, address, createdAt, endsAt: createdAt + banMs };
    const running: RunningBan = { ban, until: clock.monotonic() + banMs, isStored: false };
    this.start(running, source, tally);
    report({ type: 'banned', ban });
    this.shared.add(ban).then(
      () => {
        running.isStored = true;
      },
      (error: unknown) => report({ type: 'not-stored', ban, error }),
    );
  }

  private start(running: RunningBan, source: Source, tally: Tally): void {
    tally.failures = [];
    tally.awaited = [];
    tally.ban = running;
    source.until = Math.max(source.until, running.until);
    this.suspects.delete(running.ban.address);
    this.banned.set(running.ban.address, source);
  }

  private takeOver(listed: readonly Ban[], asked: number): void {
    const { clock, banMs, report } = this.options;
    const now = clock.monotonic();
    const stored = new Set(listed.map(pairOf));
    for (const tally of [...this.banned.values()].flatMap(talliesOf)) {
      if (!lasts(tally.ban, now) || !tally.ban.isStored) continue;
      const { ban } = tally.ban;
      // The two clocks may part: what is over by the wall clock was not listed for that.
      if (stored.has(pairOf(ban)) || ban.endsAt <= asked) continue;
      tally.ban = undefined;
      report({ type: 'lifted', ban });
    }
    for (const ban of listed) {
      const source = this.source(ban.address, now);
      const known = ban.clientId === otherClients ? source.others : source.clients.get(ban.clientId);
      if (known?.ban?.ban.endsAt === ban.endsAt) continue;
      const tally = known ?? newTally(ban.clientId);
      if (known === undefined) source.clients.set(ban.clientId, tally);
      // Never longer than a ban of ours, whatever became of the wall clock since.
      this.start({ ban, until: now + Math.min(banMs, ban.endsAt - clock.now()), isStored: true }, source, tally);
    }
  }
}

/** IPv4 as it is, also when it is written as IPv6; of IPv6 the /64, in which a single machine may have every address. */
export function banAddress(address: string): string {
  const bare = address.replace(/(%.*)?(\/64)?$/, '');
  if (isIP(bare) !== 6) return address;
  const groups = groupsOf(bare);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join('.');
  }
  const prefix = groups.slice(0, 4);
  while (prefix.at(-1) === 0) prefix.pop();
  return `${prefix.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The eight numbers of an IPv6 address that is known to be one. */
function groupsOf(address: string): number[] {
  const [head, tail] = address.split('::', 2).map((half) =>
    half
      .split(':')
      .filter((part) => part !== '')
      .flatMap(toNumbers),
  );
  return tail === undefined ? head! : [...head!, ...new Array<number>(8 - head!.length - tail.length).fill(0), ...tail];
}

/** A group, or the IPv4 address that may stand for the last two. */
function toNumbers(part: string): number[] {
  if (!part.includes('.')) return [Number.parseInt(part, 16)];
  const [a, b, c, d] = part.split('.').map(Number);
  return [a! * 256 + b!, c! * 256 + d!];
}

interface Source {
  readonly clients: Map<string, Tally>;
  /** Of all client ids that found no place among `clients`. */
  readonly others: Tally;
  /** Monotonic: from then on nothing of it counts, unless there is more to come. */
  until: number;
}

interface Tally {
  /** As in a ban. */
  readonly clientId: string;
  /** Their times, oldest first. */
  failures: number[];
  /** Beside each the second probe that may follow it, as a short hash. */
  awaited: (number | undefined)[];
  ban: RunningBan | undefined;
}

interface RunningBan {
  readonly ban: Ban;
  /** Monotonic. */
  readonly until: number;
  isStored: boolean;
}

const newTally = (clientId: string): Tally => ({ clientId, failures: [], awaited: [], ban: undefined });

const talliesOf = ({ clients, others }: Source): Tally[] => [...clients.values(), others];

const lasts = (ban: RunningBan | undefined, now: number): ban is RunningBan => ban !== undefined && ban.until > now;

const pairOf = ({ clientId, address }: Ban): string => `${address} ${clientId}`;

const notBanned: Verdict = { banned: false };

const bannedFor = (ms: number): Verdict => ({ banned: true, retryAfterSeconds: Math.ceil(ms / 1000) });

/**
 * golang/oauth2 tries HTTP Basic and, on any error, the same in the body. One that follows counts no more; each Basic
 * has only one, so that several clients behind one address may probe at the same time.
 */
function isSecondProbe({ failures, awaited }: Tally, probe: number, now: number): boolean {
  const first = awaited.findIndex((each, i) => each === probe && failures[i]! > now - probeMs);
  if (first >= 0) awaited[first] = undefined;
  return first >= 0;
}
