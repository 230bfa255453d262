import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { atOnce, nextTurn, type Steps, Turns, within } from '../../src/domain/turns.js';

/** Each look at it is a millisecond later: a slice is one step. */
const oneStepEach = () => {
  let at = 0;
  return { monotonic: () => at++ };
};
const standing = { monotonic: () => 0 };

function* steps(name: string, count: number, done: string[]): Steps<string> {
  for (let i = 1; i <= count; i++) {
    done.push(`${name}${i}`);
    yield;
  }
  return name;
}

/** What has been done by each turn of the event loop, the first of which is the present one. Sockets are looked at between any two. */
async function byTurn(done: readonly string[], turns: number): Promise<string[]> {
  const seen: string[] = [];
  for (let turn = 0; turn < turns; turn++) {
    seen.push(done.slice(seen.join(' ').split(' ').filter(Boolean).length).join(' '));
    await new Promise<void>(turn === 0 ? nextTurn : setImmediate);
  }
  return seen;
}

describe('long work', () => {
  it('goes on for one slice in each turn of the event loop, whoever it is for', async () => {
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    const all = Promise.all([turns.do(steps('a', 3, done)), turns.do(steps('b', 2, done))]);
    expect(await byTurn(done, 5)).toEqual(['a1 b1', 'a2', 'b2', 'a3', '']);
    expect(await all).toEqual(['a', 'b']);
  });

  it('goes on after sockets were looked at, also where it begins while they are', async () => {
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    const server = createServer((socket) => socket.on('data', () => done.push('socket'))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const other = connect(port, '127.0.0.1');
    const first = createServer((socket) =>
      socket.once('data', () => {
        other.write('!');
        void turns.do(steps('a', 3, done));
        nextTurn(() => done.push('next turn'));
      }),
    ).listen(0, '127.0.0.1');
    await Promise.all([once(other, 'connect'), once(first, 'listening')]);
    const asking = connect((first.address() as AddressInfo).port, '127.0.0.1', () => asking.write('!'));
    await vi.waitFor(() => expect(done).toHaveLength(5));
    expect(done).toEqual(['a1', 'socket', 'a2', 'next turn', 'a3']);
    for (const socket of [other, asking]) socket.destroy();
    for (const one of [server, first]) one.close();
  });

  it('that is small is done at once, whoever waits', async () => {
    const turns = new Turns(standing);
    const done: string[] = [];
    const small = turns.do(steps('a', 100, done));
    expect(done).toHaveLength(100);
    expect(await small).toBe('a');
  });

  it('stops sooner in the turn in which it came', async () => {
    let at = 0;
    const turns = new Turns({ monotonic: () => (at += 0.02) });
    const done: string[] = [];
    const all = turns.do(steps('a', 30, done));
    const [first, second] = (await byTurn(done, 2)).map((one) => one.split(' ').length);
    expect(first).toBeLessThan(5);
    expect(second).toBeGreaterThan(2 * first!);
    expect(await all).toBe('a');
  });

  it('of one lane is done in its order, and takes one slice for all of it', async () => {
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    const ended: string[] = [];
    const lane = (name: string, count: number, key: string) =>
      turns.do(steps(name, count, done), key).then((said) => ended.push(said));
    const all = Promise.all([lane('a', 2, 'x'), lane('b', 1, 'x'), lane('c', 3, 'x'), lane('o', 3, 'y')]);
    expect(await byTurn(done, 10)).toEqual(['a1 o1', 'a2', 'o2', '', 'o3', 'b1', '', '', 'c1', 'c2']);
    await all;
    expect(ended.filter((name) => name !== 'o')).toEqual(['a', 'b', 'c']);
    // It is free again.
    await lane('d', 1, 'x');
    expect(done.at(-1)).toBe('d1');
  });

  /** Work that takes longer than a slice, on a clock that stands otherwise. */
  const slowly = () => {
    let at = 0;
    function* slow(): Steps<string> {
      at++;
      yield;
      return 'slow';
    }
    return { turns: new Turns({ monotonic: () => at }), slow };
  };

  it('of one lane that is small shares its slice', async () => {
    const { turns, slow } = slowly();
    const done: string[] = [];
    const all = [turns.do(slow(), 'x'), ...[1, 2, 3].map((i) => turns.do(steps(`small${i}-`, 1, done), 'x'))];
    expect(await byTurn(done, 2)).toEqual(['', 'small1-1 small2-1 small3-1']);
    await Promise.all(all);
  });

  it('is refused when too much waits in its lane, which is no concern of others', async () => {
    const { turns, slow } = slowly();
    for (let time = 0; time < 2; time++) {
      const firsts = [turns.do(slow(), 'x'), turns.do(slow(), 'y')];
      const small = (lane: string) => turns.do(steps('a', 1, []), lane).catch((error: Error) => error);
      const others = Array.from({ length: 2000 }, () => small('x'));
      const last = turns.after('x');
      expect(await small('y')).toBe('a');
      const refused = (await Promise.all(others)).filter((said) => typeof said !== 'string');
      expect(refused).toHaveLength(2000 - 1023);
      expect(refused[0]).toMatchObject({ code: 'unavailable' });
      await last;
      expect(await Promise.all(firsts)).toEqual(['slow', 'slow']);
    }
  });

  it('that fails leaves its lane to the next', async () => {
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    function* failing(): Steps<never> {
      yield;
      throw new Error('broken');
    }
    const failed = turns.do(failing(), 'x');
    const next = turns.do(steps('a', 2, done), 'x');
    await expect(failed).rejects.toThrow('broken');
    expect(await next).toBe('a');
  });

  it('that fails, fails for who asked for it, and the others go on', async () => {
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    function* failing(): Steps<never> {
      yield;
      throw new Error('broken');
    }
    const other = turns.do(steps('a', 4, done));
    await expect(turns.do(failing())).rejects.toThrow('broken');
    expect(await other).toBe('a');
    expect(await turns.do(steps('b', 2, done))).toBe('b');
  });

  it('that takes too long is ended by the time it was at work, not by the time it waited', async () => {
    function* endless(): Steps<never> {
      for (;;) yield;
    }
    const refusal = () => new Error('too long');
    await expect(new Turns(oneStepEach()).do(within(20, endless(), refusal))).rejects.toThrow('too long');
    const turns = new Turns(oneStepEach());
    const done: string[] = [];
    const others = [1, 2, 3].map((other) => turns.do(steps(`other${other}`, 50, done)));
    expect(await turns.do(within(20, steps('a', 5, done), refusal))).toBe('a');
    await Promise.all(others);
    expect(() => atOnce(within(20, endless(), refusal), oneStepEach())).toThrow('too long');
  });
});
