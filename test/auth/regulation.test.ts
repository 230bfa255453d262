import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BanEvent,
  banAddress,
  otherClients,
  Regulation,
  type RegulationOptions,
  regulationDefaults,
} from '../../src/auth/regulation.js';
import type { Clock } from '../../src/domain/clock.js';
import type { Ban, BanStore, Change } from '../../src/storage/store.js';
import { HeldClock } from '../support/gateway.js';

const minute = 60_000;
const a = 'weir_cid_aaaaaaaaaaaaaaaaaaaaaa';
const b = 'weir_cid_bbbbbbbbbbbbbbbbbbbbbb';
const here = '198.51.100.9';
const there = '203.0.113.5';

/** What several processes share. Its gate, while set, is what a write waits for. */
class MemoryBans implements BanStore {
  rows: Ban[] = [];
  gate: Promise<void> | undefined;
  /** The number of the newest change. */
  latest = 0;
  /** How often they were read. */
  readings = 0;

  async list(now: number): Promise<Ban[]> {
    this.readings++;
    return this.rows.filter(({ endsAt }) => endsAt > now);
  }

  async add(ban: Ban): Promise<number> {
    await this.gate;
    this.rows = this.rows.filter((row) => row.clientId !== ban.clientId || row.address !== ban.address);
    this.rows.push(ban);
    return ++this.latest;
  }

  async lift(clientId: string, address: string | undefined): Promise<number> {
    const before = this.rows.length;
    this.rows = this.rows.filter((row) => row.clientId !== clientId || (address ?? row.address) !== row.address);
    this.latest++;
    return before - this.rows.length;
  }
}

class Process {
  readonly events: BanEvent[] = [];
  readonly regulation: Regulation;
  private tries = 0;

  constructor(store: BanStore, clock: Clock, options: Partial<RegulationOptions> = {}) {
    this.regulation = new Regulation({
      ...regulationDefaults,
      store,
      clock,
      mac: (text) => createHmac('sha256', 'a key').update(text).digest(),
      report: (event) => this.events.push(event),
      ...options,
    });
  }

  /** A guess of its own each time: the status, and the seconds to wait. */
  guess(clientId: string, address: string, method: 'basic' | 'body' = 'body'): number | string {
    return this.present(clientId, address, `guess ${this.tries++}`, method);
  }

  present(clientId: string, address: string, secret: string, method: 'basic' | 'body'): number | string {
    const verdict = this.regulation.failed(clientId, address, { method, secret });
    return verdict.banned ? `429 after ${verdict.retryAfterSeconds}` : 401;
  }

  guesses(count: number, clientId: string, address: string): (number | string)[] {
    return Array.from({ length: count }, () => this.guess(clientId, address));
  }

  /** As Go's client does it. */
  probe(clientId: string, address: string, secret: string): (number | string)[] {
    return [this.present(clientId, address, secret, 'basic'), this.present(clientId, address, secret, 'body')];
  }

  get told(): string[] {
    return this.events.map(({ type, ban }) => `${type} ${ban.clientId} ${ban.address}`);
  }
}

const start = (options?: Partial<RegulationOptions>) => {
  const store = new MemoryBans();
  const clock = new HeldClock();
  return { store, clock, process: new Process(store, clock, options) };
};
const unauthorized = (count: number) => new Array<number>(count).fill(401);

describe('wrong secrets', () => {
  it('are answered 401 twenty times within five minutes, then 429 for the next five', () => {
    const { clock, process } = start();
    expect(process.guesses(20, a, here)).toEqual(unauthorized(20));
    expect(process.guess(a, here)).toBe('429 after 300');
    clock.advance(minute + 1);
    expect(process.guess(a, here)).toBe('429 after 240');
    clock.advance(4 * minute - 2);
    expect(process.guess(a, here)).toBe('429 after 1');
    clock.advance(1);
    expect(process.guesses(20, a, here)).toEqual(unauthorized(20));
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it('are counted over the last five minutes, not from the first on', () => {
    const { clock, process } = start();
    const everyQuarter = Array.from({ length: 200 }, () => {
      clock.advance(15_000);
      return process.guess(a, here);
    });
    expect(everyQuarter).toEqual(unauthorized(200));
    process.guess(a, here);
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it('from one address leave the client’s answers at another alone, and other clients’ at the same', () => {
    const { process } = start();
    process.guesses(100, a, here);
    expect(process.guess(a, there)).toBe(401);
    expect(process.guess(b, here)).toBe(401);
    expect(process.told).toEqual([`banned ${a} ${here}`]);
  });

  it('are counted alike for every id, whether it may be a client’s or not', () => {
    const { process } = start();
    for (const id of [a, 'weir_cid_', 'admin', '', '*', 'x'.repeat(10_000), '\u0000', '\ud800', 'foreign:x']) {
      expect(process.guesses(21, id, there)).toEqual([...unauthorized(20), '429 after 300']);
    }
    expect(new Set(process.events.map(({ ban }) => ban.clientId)).size).toBe(9);
  });

  it('are all answered 401 when the limit is 0', () => {
    const { process } = start({ limit: 0 });
    expect(process.guesses(100, a, here)).toEqual(unauthorized(100));
  });

  it('count from zero after a right one from the same client and address', () => {
    const { process } = start();
    process.guesses(20, a, here);
    process.regulation.succeeded(a, there);
    process.regulation.succeeded(b, here);
    expect(process.guess(a, here)).toBe('429 after 300');
    process.guesses(20, a, there);
    process.regulation.succeeded(a, there);
    expect(process.guesses(20, a, there)).toEqual(unauthorized(20));
  });

  it('stay banned after a right one, which may be another’s', () => {
    const { process } = start();
    process.guesses(21, a, here);
    process.regulation.succeeded(a, here);
    expect(process.guess(a, here)).toBe('429 after 300');
  });
});

describe('Go’s double probe', () => {
  it('counts once', () => {
    const { process } = start();
    const probes = Array.from({ length: 21 }, (_, i) => process.probe(a, here, `secret ${i}`));
    expect(probes.flat()).toEqual([...unauthorized(40), '429 after 300', '429 after 300']);
  });

  it('counts once with the same wrong secret every time, as a misconfigured scraper sends it', () => {
    const { process } = start();
    const probes = Array.from({ length: 21 }, () => process.probe(a, here, 'mistyped'));
    expect(probes.flat()).toEqual([...unauthorized(40), '429 after 300', '429 after 300']);
  });

  it('counts once for each of several that are under way together', () => {
    const { process } = start({ limit: 3 });
    for (let i = 0; i < 3; i++) expect(process.present(a, here, 'same', 'basic')).toBe(401);
    for (let i = 0; i < 3; i++) expect(process.present(a, here, 'same', 'body')).toBe(401);
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it.each<[string, (process: Process, clock: HeldClock) => void]>([
    ['has another secret', (process) => process.present(a, here, 'other', 'body')],
    ['has another client id', (process) => process.present(b, here, 'same', 'body')],
    ['comes from another address', (process) => process.present(a, there, 'same', 'body')],
    [
      'comes five seconds later',
      (process, clock) => {
        clock.advance(5000);
        process.present(a, here, 'same', 'body');
      },
    ],
    ['is Basic, too', (process) => process.present(a, here, 'same', 'basic')],
    [
      'is not the first after it',
      (process) => {
        process.present(a, here, 'same', 'body');
        process.present(a, here, 'same', 'body');
      },
    ],
  ])('is none when the second %s', (_, second) => {
    const { clock, process } = start({ limit: 2 });
    process.present(a, here, 'same', 'basic');
    second(process, clock);
    // Two are counted, wherever the second went.
    const ends = [process.guesses(2, a, here), process.guesses(2, b, here), process.guesses(2, a, there)];
    expect(ends.flat().filter((answer) => answer === 401)).toHaveLength(6 - 2);
  });

  it('is none among ids that are counted together, unless the id is the same', () => {
    const { process } = start({ clientsPerAddress: 1, limit: 2 });
    process.guess('other', here);
    process.present(a, here, 'same', 'basic');
    process.present(a, here, 'same', 'body');
    process.present(b, here, 'same', 'basic');
    process.present('weir_cid_c', here, 'same', 'body');
    expect(process.told).toEqual([`banned ${otherClients} ${here}`]);
  });

  it('is one in any IPv6 address of the same machine', () => {
    const { process } = start({ limit: 1 });
    process.present(a, '2001:db8::1', 'same', 'basic');
    expect(process.present(a, '2001:db8::2', 'same', 'body')).toBe(401);
  });
});

describe('a flood of invented client ids', () => {
  const invented = (i: number) => `weir_cid_invented${i}`;

  it('lifts no ban, neither from the same address nor from thousands of others', () => {
    const { process } = start({ addresses: 100 });
    process.guesses(21, a, here);
    for (let i = 0; i < 2000; i++) process.guess(invented(i), here);
    for (let i = 0; i < 2000; i++) process.guess(invented(i), `10.0.${i >> 8}.${i & 255}`);
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it('lifts no ban by what comes from addresses whose own ban is over', () => {
    const { process, clock } = start({ addresses: 2 });
    process.guesses(21, a, '10.0.0.1');
    clock.advance(5 * minute);
    process.guesses(21, a, here);
    process.guess(a, '10.0.0.1');
    process.guesses(21, a, '10.0.0.2');
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it('resets no count from the same address', () => {
    const { process } = start();
    process.guesses(20, a, here);
    for (let i = 0; i < 2000; i++) process.guess(invented(i), here);
    expect(process.guess(a, here)).toBe('429 after 300');
  });

  it('is counted as one once the address has no place left, with one ban for all', () => {
    const { process, clock } = start({ clientsPerAddress: 3 });
    for (let i = 0; i < 3; i++) process.guess(invented(i), here);
    const flood = Array.from({ length: 100 }, (_, i) => process.guess(invented(10 + i), here));
    expect(flood).toEqual([...unauthorized(20), ...new Array<string>(80).fill('429 after 300')]);
    expect(process.told).toEqual([`banned ${otherClients} ${here}`]);
    expect(process.guess(invented(0), here)).toBe(401);
    expect(process.guess(invented(10), there)).toBe(401);
    clock.advance(5 * minute);
    expect(process.guess(invented(10), here)).toBe(401);
  });

  it('leaves the places free again when its time is over', () => {
    const { process, clock } = start({ clientsPerAddress: 3 });
    for (let i = 0; i < 100; i++) process.guess(invented(i), here);
    clock.advance(5 * minute);
    process.guesses(21, a, here);
    expect(process.told.at(-1)).toBe(`banned ${a} ${here}`);
  });

  it('gives an address no more tries than its places have, and the store no more bans', () => {
    const clientsPerAddress = 3;
    const limit = 4;
    const step = fc.record({
      id: fc.nat(12),
      wait: fc.oneof(fc.constant(0), fc.nat(20_000), fc.nat(6 * minute)),
      times: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { process, clock } = start({ clientsPerAddress, limit, addresses: 10 });
        const answered: number[] = [];
        const banned: number[] = [];
        for (const { id, wait, times } of steps) {
          clock.advance(wait);
          for (let i = 0; i < times; i++) {
            if (process.guess(invented(id), here) === 401) answered.push(clock.monotonic());
          }
          while (banned.length < process.events.length) banned.push(clock.monotonic());
        }
        expect(mostWithin(5 * minute, answered)).toBeLessThanOrEqual((clientsPerAddress + 1) * limit);
        expect(mostWithin(5 * minute, banned)).toBeLessThanOrEqual(clientsPerAddress + 1);
      }),
    );
  });

  it('takes no more memory than its places', () => {
    const { process } = start({ addresses: 50, clientsPerAddress: 4 });
    for (let i = 0; i < 6000; i++) process.guess(invented(i), `10.0.0.${Math.floor(i / 30)}`);
    expect(remembered(process).match(/failures: /g)).toHaveLength(50 * 5);
  });

  it('takes little memory for an address, however it fills its places', () => {
    const { process } = start();
    for (let id = 0; id < 31; id++) for (let i = 0; i < 20; i++) process.guess(invented(id), here, 'basic');
    expect(remembered(process).match(/failures: /g)).toHaveLength(31);
    expect(serialize(kept(process)).length).toBeLessThan(16 * 1024);
  });

  it('is forgotten five minutes after the last wrong secret or the end of the last ban', () => {
    const { process, clock } = start();
    const keptAfter = (ms: number): string[] => {
      clock.advance(ms);
      process.regulation.sweep();
      return kept(process).map(([address]) => address);
    };
    process.guesses(21, a, there);
    for (let i = 0; i < 40; i++) process.guess(invented(i), here);
    expect(keptAfter(minute)).toEqual([here, there]);
    process.guess(a, here);
    process.guess(b, there);
    expect(keptAfter(4 * minute - 1)).toEqual([here, there]);
    expect(process.guess(a, there)).toBe('429 after 1');
    expect(keptAfter(1)).toEqual([here, there]);
    expect(process.guesses(20, b, there)).toEqual([...unauthorized(19), '429 after 300']);
    expect(keptAfter(minute)).toEqual([there]);
    expect(keptAfter(4 * minute)).toEqual([]);
  });
});

/** All it keeps about addresses. */
function kept({ regulation }: Process): [address: string, source: unknown][] {
  const { suspects, banned } = regulation as unknown as Record<'suspects' | 'banned', Map<string, unknown>>;
  return [...suspects.entries(), ...banned.entries()];
}

const remembered = (process: Process): string =>
  inspect(kept(process), { depth: 20, maxArrayLength: null, maxStringLength: null });

/** How many of the times fall into one stretch of `ms`, at most. */
const mostWithin = (ms: number, times: readonly number[]): number =>
  Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + ms).length));

describe('a ban', () => {
  it('lasts in the store, survives a restart and keeps its end', async () => {
    const { store, clock, process } = start();
    process.guesses(21, a, here);
    const createdAt = clock.now();
    await process.regulation.settled();
    expect(await store.list(createdAt)).toEqual([
      { clientId: a, address: here, createdAt, endsAt: createdAt + 5 * minute },
    ]);
    clock.advance(2 * minute);
    const next = new Process(store, clock);
    await next.regulation.reload();
    expect(next.guess(a, here)).toBe('429 after 180');
    expect(next.guess(b, here)).toBe(401);
    clock.advance(3 * minute);
    expect(next.guesses(20, a, here)).toEqual(unauthorized(20));
    expect(next.told).toEqual([]);
  });

  it('of a flood of ids survives a restart', async () => {
    const { store, clock, process } = start({ clientsPerAddress: 1 });
    for (let i = 0; i < 30; i++) process.guess(`flood ${i}`, here);
    await process.regulation.settled();
    const next = new Process(store, clock, { clientsPerAddress: 1 });
    await next.regulation.reload();
    next.guess('flood 0', here);
    expect(next.guess('flood 1', here)).toBe('429 after 300');
  });

  it('that another process made or lifted counts after a reload, and starts from zero', async () => {
    const { store, clock, process } = start();
    const other = new Process(store, clock);
    process.guesses(21, a, here);
    process.guesses(21, a, there);
    process.guesses(21, b, here);
    await process.regulation.settled();
    await other.regulation.reload();
    expect(other.guess(a, here)).toBe('429 after 300');

    expect(await store.lift(a, banAddress(here))).toBe(1);
    for (const each of [process, other]) {
      each.events.length = 0;
      await each.regulation.reload();
      expect(each.told).toEqual([`lifted ${a} ${here}`]);
      expect(each.guesses(21, a, here)).toEqual([...unauthorized(20), '429 after 300']);
      expect(each.guess(a, there)).toBe('429 after 300');
      expect(each.guess(b, here)).toBe('429 after 300');
    }
  });

  it('that ran out is not told to be lifted, not even when the clocks part', async () => {
    const held = new HeldClock();
    let ahead = 0;
    const clock: Clock = { now: () => held.now() + ahead, monotonic: () => held.monotonic() };
    const process = new Process(new MemoryBans(), clock);
    process.guesses(21, a, here);
    held.advance(5 * minute - 1);
    ahead = 1;
    await process.regulation.reload();
    expect(process.told).toEqual([`banned ${a} ${here}`]);
  });

  it('never lasts longer than bans do, even if the wall clock was set back', async () => {
    const { store, clock, process } = start();
    const endsAt = clock.now() + 60 * minute;
    await store.add({ clientId: a, address: here, createdAt: endsAt - 5 * minute, endsAt });
    await process.regulation.reload();
    clock.advance(2 * minute);
    await process.regulation.reload();
    expect(process.guess(a, here)).toBe('429 after 180');
  });

  it.each(['before', 'after'])(
    'is not lifted by a reload that asked %s it began, whatever the store is slow at',
    async (when) => {
      const { store, process } = start();
      const { list } = store;
      const gates = { add: (): void => {}, list: (): void => {} };
      store.gate = new Promise((resolve) => {
        gates.add = resolve;
      });
      const listed = new Promise<void>((resolve) => {
        gates.list = resolve;
      });
      store.list = async (now) => {
        const rows = await list.call(store, now);
        await listed;
        return rows;
      };
      const asked = when === 'before' ? process.regulation.reload() : undefined;
      process.guesses(21, a, here);
      const reloaded = asked ?? process.regulation.reload();
      for (const open of [gates.add, gates.list]) {
        // Whatever can go on goes on first.
        await new Promise((resolve) => setImmediate(resolve));
        open();
      }
      await reloaded;
      await process.regulation.settled();
      expect(process.guess(a, here)).toBe('429 after 300');
      expect(store.rows).toHaveLength(1);
      expect(process.told).toEqual([`banned ${a} ${here}`]);
    },
  );

  it('is written after the answer, which its writing must not delay', async () => {
    const { store, process } = start();
    process.guesses(21, a, here);
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(store.rows).toHaveLength(0);
    await process.regulation.settled();
    expect(store.rows).toHaveLength(1);
  });

  it('of this process is not read again, however the change log tells of it', async () => {
    const { store, process } = start();
    const told = (from: number, noun: Change['noun'] = 'ban') =>
      Array.from({ length: store.latest - from }, (_, i): Change => ({ seq: from + i + 1, noun, id: 'any' }));
    for (const [i, id] of [a, b].entries()) {
      process.guesses(21, id, here);
      await process.regulation.settled();
      await process.regulation.follow(told(i));
    }
    expect(store.readings).toBe(0);

    process.guesses(21, a, there);
    await process.regulation.settled();
    await store.lift(b, here);
    await process.regulation.follow(told(2));
    expect(store.readings).toBe(1);
    expect(process.told.at(-1)).toBe(`lifted ${b} ${here}`);
    await store.lift(a, here);
    await process.regulation.follow(told(4, 'client'));
    expect(store.readings).toBe(1);
    await process.regulation.follow(undefined);
    expect(store.readings).toBe(2);
  });

  it('of others is read once for all that tell of changes while another reading or a write is under way', async () => {
    const { store, process } = start();
    let open = (): void => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    process.guesses(21, a, here);
    const early = Array.from({ length: 10 }, () => process.regulation.reload());
    await store.lift(b, there);
    open();
    await Promise.all(early);
    expect(store.readings).toBe(1);

    const { list } = store;
    let late: Promise<void>[] = [];
    store.list = async (now) => {
      store.list = list;
      const rows = await list.call(store, now);
      // Too late for what is being read: it is read once more.
      store.rows = [];
      late = Array.from({ length: 10 }, () => process.regulation.reload());
      return rows;
    };
    await process.regulation.reload();
    await Promise.all(late);
    expect(store.readings).toBe(3);
    expect(process.told.at(-1)).toBe(`lifted ${a} ${here}`);
  });

  it('holds although the store refuses it, which is told', async () => {
    const { store, process } = start();
    const refusal = new Error('disk full');
    store.gate = Promise.reject(refusal);
    store.gate.catch(() => {});
    process.guesses(21, a, here);
    await process.regulation.settled();
    store.gate = undefined;
    await process.regulation.reload();
    expect(process.guess(a, here)).toBe('429 after 300');
    expect(process.told).toEqual([`banned ${a} ${here}`, `not-stored ${a} ${here}`]);
    expect(process.events[1]).toMatchObject({ error: refusal });
    process.guesses(21, b, here);
    await process.regulation.settled();
    expect(store.rows.map(({ clientId }) => clientId)).toEqual([b]);
  });

  it('cannot be read from a broken store, which is told to who asks; the next one is tried again', async () => {
    const { store, clock, process } = start();
    const { list } = store;
    store.list = () => Promise.reject(new Error('gone'));
    await expect(process.regulation.reload()).rejects.toThrow('gone');
    store.list = list;
    await store.add({ clientId: a, address: here, createdAt: clock.now(), endsAt: clock.now() + minute });
    await process.regulation.reload();
    expect(process.guess(a, here)).toBe('429 after 60');
  });

  it('keeps no secret, not even one that was sent as client id', async () => {
    const { store, process } = start();
    const secret = 'weir_cs_0123456789012345678901234567890123456789012';
    for (let i = 0; i < 30; i++) process.probe(secret, here, secret);
    for (let i = 0; i < 10; i++) process.probe(a, here, secret);
    await process.regulation.settled();
    expect(store.rows.map(({ clientId }) => clientId)).toEqual([expect.stringMatching(/^foreign:[\w-]{16}$/)]);
    const texts = [remembered(process), inspect([store.rows, process.events], { depth: 20 })];
    expect(texts[0]).toContain(a);
    expect(texts.join()).not.toContain(secret.slice(8));
    expect(await store.lift(store.rows[0]!.clientId, undefined)).toBe(1);
  });
});

describe('the address of a ban', () => {
  it.each([
    ['198.51.100.9', '198.51.100.9'],
    ['::ffff:198.51.100.9', '198.51.100.9'],
    ['::FFFF:c633:6409', '198.51.100.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8::/64'],
    ['2001:0db8:0000:0000:ffff::', '2001:db8::/64'],
    ['0:0:1:2:3:4:5:6', '0:0:1:2::/64'],
    ['1:0:0:2::', '1:0:0:2::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['::1', '::/64'],
    ['::1.2.3.4', '::/64'],
    ['64:ff9b::1.2.3.4', '64:ff9b::/64'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4::/64'],
    ['not an address', 'not an address'],
  ])('of %s is %s', (address, expected) => {
    expect(banAddress(address)).toBe(expected);
    expect(banAddress(expected)).toBe(expected);
  });

  it('is the same for every address of a /64, in whatever form, and for none outside it', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const eight = fc.tuple(group, group, group, group, group, group, group, group);
    const written = (groups: readonly number[]) => groups.map((each) => each.toString(16)).join(':');
    fc.assert(
      fc.property(eight, eight, fc.nat(3), ([...one], [...two], differing) => {
        // Not the block that holds IPv4.
        one[0] = (one[0]! % 0xffff) + 1;
        const neighbour = [...one.slice(0, 4), ...two.slice(4)];
        expect(banAddress(written(neighbour))).toBe(banAddress(written(one)));
        expect(banAddress(written(one.map((each, i) => (i === differing ? each ^ 1 : each))))).not.toBe(
          banAddress(written(one)),
        );
      }),
    );
  });
});

/** The rules again, in the plainest way: all that ever happened to a pair is kept and looked through. */
class Model {
  private past = new Map<string, { at: number; method: string; secret: string; used: boolean }[]>();
  bans = new Map<string, number>();

  failed(pair: string, method: string, secret: string, now: number, limit: number): number | string {
    const end = this.bans.get(pair) ?? 0;
    if (end > now) return `429 after ${Math.ceil((end - now) / 1000)}`;
    const past = this.past.get(pair) ?? [];
    this.past.set(pair, past);
    if (method === 'body') {
      const first = past.find(
        (one) => one.method === 'basic' && one.secret === secret && !one.used && now - one.at < 5000,
      );
      if (first !== undefined) {
        first.used = true;
        return 401;
      }
    }
    past.push({ at: now, method, secret, used: false });
    if (past.filter(({ at }) => now - at < 5 * minute).length <= limit) return 401;
    this.bans.set(pair, now + 5 * minute);
    this.past.delete(pair);
    return '429 after 300';
  }

  succeeded(pair: string): void {
    this.past.delete(pair);
  }

  restarted(): void {
    this.past.clear();
  }

  lifted(pair: string): void {
    this.bans.delete(pair);
  }
}

describe('regulation as a whole', () => {
  it('does what its rules say, over any sequence of guesses, right secrets, lifts and restarts', async () => {
    const limit = 3;
    const id = fc.constantFrom(a, b, 'foreign');
    // The second and third are one machine.
    const place = fc.constantFrom(here, '2001:db8::1', '2001:DB8:0:0:1::9', '::ffff:198.51.100.9');
    const secret = fc.constantFrom('one', 'two');
    const method = fc.constantFrom('basic' as const, 'body' as const);
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.record({ does: fc.constant('fail' as const), id, place, secret, method }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('succeed' as const), id, place }) },
      { weight: 3, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.nat(7000) }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.nat(6 * minute) }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('reload' as const, 'sweep' as const) }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('restart' as const) }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('lift' as const), id: fc.constantFrom(a, b), place }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
        const { store, clock, process: first } = start({ limit, addresses: 10 });
        let process = first;
        const model = new Model();
        const pairOf = (each: { id: string; place: string }) => `${each.id} ${banAddress(each.place)}`;
        for (const each of steps) {
          if (each.does === 'fail') {
            expect(process.present(each.id, each.place, each.secret, each.method)).toBe(
              model.failed(pairOf(each), each.method, each.secret, clock.monotonic(), limit),
            );
          } else if (each.does === 'succeed') {
            process.regulation.succeeded(each.id, each.place);
            model.succeeded(pairOf(each));
          } else if (each.does === 'wait') {
            clock.advance(each.ms);
          } else if (each.does === 'sweep') {
            process.regulation.sweep();
          } else {
            await process.regulation.settled();
            if (each.does === 'lift') {
              await store.lift(each.id, banAddress(each.place));
              model.lifted(pairOf(each));
            } else if (each.does === 'restart') {
              process = new Process(store, clock, { limit, addresses: 10 });
              model.restarted();
            }
            await process.regulation.reload();
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
