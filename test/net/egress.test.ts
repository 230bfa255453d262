import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { parseNetworks } from '../../src/net/addresses.js';
import { type EgressRequest, type EgressSeams, guardedFetch, systemLookup } from '../../src/net/egress.js';
import { EgressError } from '../../src/net/egress-error.js';
import { addressForms, badAddresses } from './address-forms.js';

const get: EgressRequest = { method: 'GET', timeoutMs: 5000, maxBytes: 100_000 };
const loopback = parseNetworks(['127.0.0.0/8', '::1']);
const local: EgressRequest = { ...get, allowHttp: true, allowedNetworks: loopback };

/** All dials go to one listener of ours, which counts them: one that should not have been is seen. */
class Trap {
  readonly dialled: { host: string; port: number }[] = [];
  readonly asked: string[] = [];
  connections = 0;
  private readonly server = createTcpServer((socket) => {
    this.connections++;
    socket.on('error', () => {});
    socket.destroy();
  });

  async listen(): Promise<void> {
    await listening(this.server);
  }

  close(): void {
    this.server.close();
  }

  seams(answers: readonly string[] | ((name: string) => readonly string[]) = []): EgressSeams {
    return {
      lookup: async (name) => {
        this.asked.push(name);
        return typeof answers === 'function' ? answers(name) : answers;
      },
      connect: (to) => {
        this.dialled.push(to);
        return connect((this.server.address() as AddressInfo).port, '127.0.0.1');
      },
    };
  }
}

let trap: Trap;
const opened: { close(): unknown; closeAllConnections?(): void }[] = [];

beforeEach(async () => {
  trap = new Trap();
  await trap.listen();
});
afterEach(() => {
  trap.close();
  for (const server of opened.splice(0)) {
    server.closeAllConnections?.();
    server.close();
  }
});

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

async function httpServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  opened.push(server);
  return `http://127.0.0.1:${await listening(server)}`;
}

/** Bytes as they are, for what no honest server sends. */
async function tcpServer(talk: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    talk(socket);
  });
  opened.push(server, {
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

const seams: EgressSeams = { lookup: async () => ['127.0.0.1'] };
const fault = (url: string, request: EgressRequest, using: EgressSeams): Promise<string> =>
  guardedFetch(url, request, using).then(
    ({ status }) => `answered ${status}`,
    (error: unknown) => {
      if (!(error instanceof EgressError)) throw error;
      return error.fault;
    },
  );

describe('an address that is not public', () => {
  const forms = addressForms();

  it('comes in more than 200 spellings', () => {
    expect(new Set(forms).size).toBe(forms.length);
    expect(forms.length).toBeGreaterThan(200);
  });

  it('is refused in every spelling, on both schemes, without a connection or a look-up', async () => {
    const passed: string[] = [];
    for (const host of forms) {
      for (const url of [`https://${host}/`, `https://${host}:4318/x`, `http://${host}:443/`]) {
        const got = await fault(url, { ...get, allowHttp: true }, trap.seams(['8.8.8.8']));
        if (got !== 'destination') passed.push(`${url} ${got}`);
      }
    }
    expect(passed).toEqual([]);
    expect(trap).toMatchObject({ dialled: [], asked: [], connections: 0 });
  });

  it('is refused as the answer of a resolver, alone and among public ones', async () => {
    const passed: string[] = [];
    for (const address of badAddresses) {
      for (const answers of [
        [address],
        ['8.8.8.8', address],
        [address, '2606:4700::1111'],
        ['1.1.1.1', address, '8.8.8.8'],
      ]) {
        const got = await fault('https://receiver.example/', get, trap.seams(answers));
        if (got !== 'destination') passed.push(`${answers.join()} ${got}`);
      }
    }
    expect(passed).toEqual([]);
    expect(trap).toMatchObject({ dialled: [], connections: 0 });
  });

  it("is refused as what this machine's own resolver says of itself", async () => {
    const system: EgressSeams = { ...trap.seams(), lookup: systemLookup };
    for (const name of ['localhost', 'LOCALHOST', 'ⓛocalhost']) {
      expect(await fault(`https://${name}/`, get, system), name).toBe('destination');
    }
    expect(trap.dialled).toEqual([]);
    expect(await systemLookup('localhost')).toEqual(expect.arrayContaining([expect.stringMatching(/^(127\.|::1$)/)]));
  });

  it('is not told from a name that does not resolve', async () => {
    const messages = new Set<string>();
    const message = (url: string, using: EgressSeams): Promise<string> =>
      guardedFetch(url, get, using).then(
        () => 'answered',
        (error: Error) => error.message,
      );
    const failing: EgressSeams = { lookup: () => Promise.reject(new Error('ENOTFOUND db.internal')) };
    for (const using of [trap.seams(['10.0.0.1']), trap.seams([]), trap.seams(['rubbish']), failing]) {
      messages.add(await message('https://db.internal/', using));
    }
    messages.add(await message('https://10.0.0.1/', trap.seams()));
    expect([...messages]).toEqual([
      'The host cannot be used: it must have a public address, and the port must be 443 or 4318.',
    ]);
  });

  it('is reached when the operator allows its network, on any port, and no other is', async () => {
    const url = await httpServer((_, response) => response.end('inside'));
    expect((await guardedFetch(url, local, seams)).body.toString()).toBe('inside');
    expect((await guardedFetch(url.replace('127.0.0.1', 'receiver.example'), local, seams)).status).toBe(200);
    const elsewhere = { ...local, allowedNetworks: parseNetworks(['127.0.0.2', '10.0.0.0/8']) };
    expect(await fault(url, elsewhere, trap.seams())).toBe('destination');
    expect(await fault('https://receiver.example/', local, trap.seams(['127.0.0.1', '10.0.0.1']))).toBe('destination');
    expect(await fault('https://[::ffff:127.0.0.1]/', local, trap.seams())).toBe('destination');
  });
});

describe('a public address', () => {
  it('is dialled in every spelling, at the address that was checked, once resolved', async () => {
    for (const host of ['8.8.8.8', '134744072', '0x08.0x8.010.8', '8.8.2056', '８.８.８.８', '8.8.8.8.']) {
      trap.dialled.length = 0;
      expect(await fault(`https://${host}/`, get, trap.seams()), host).toBe('unreachable');
      expect(trap.dialled).toEqual([{ host: '8.8.8.8', port: 443 }]);
    }
    expect(trap.asked).toEqual([]);
    trap.dialled.length = 0;
    expect(await fault('https://[2606:4700:0:0::1111]:4318/', get, trap.seams())).toBe('unreachable');
    expect(await fault('https://RECEIVER.example/', get, trap.seams(['2606:4700:0::1111']))).toBe('unreachable');
    expect(trap.dialled).toEqual([
      { host: '2606:4700::1111', port: 4318 },
      { host: '2606:4700::1111', port: 443 },
    ]);
    expect(trap.asked).toEqual(['receiver.example']);
  });

  it('is refused on any other port', async () => {
    for (const port of [22, 25, 80, 444, 2375, 6379, 8443, 9090, 65_535]) {
      expect(await fault(`https://8.8.8.8:${port}/`, get, trap.seams()), String(port)).toBe('destination');
    }
    expect(await fault('http://8.8.8.8/', { ...get, allowHttp: true }, trap.seams())).toBe('destination');
    expect(trap.dialled).toEqual([]);
  });

  it('is let go when the connection turns out to lead to another', async () => {
    const caught = await guardedFetch('https://8.8.8.8/', get, trap.seams()).catch((error: EgressError) => error);
    expect(caught).toMatchObject({
      fault: 'unreachable',
      cause: { message: expect.stringContaining('another address') },
    });
  });

  it('is the only one dialled while a resolver alternates between public and private', async () => {
    let turn = 0;
    const alternating = trap.seams(() => (turn++ % 2 === 0 ? ['8.8.8.8'] : ['127.0.0.1']));
    const faults: string[] = [];
    for (let count = 0; count < 20; count++) faults.push(await fault('https://rebind.example/', get, alternating));
    expect(faults).toEqual(Array.from({ length: 10 }, () => ['unreachable', 'destination']).flat());
    expect(trap.asked).toHaveLength(20);
    expect(trap.dialled).toEqual(Array.from({ length: 10 }, () => ({ host: '8.8.8.8', port: 443 })));
  });
});

describe('a request is refused, before anything is resolved, whose', () => {
  const urls: Record<string, string> = {
    'scheme is http': 'http://receiver.example/',
    'scheme is ftp': 'ftp://receiver.example/',
    'scheme is file': 'file:///etc/passwd',
    'scheme is gopher': 'gopher://receiver.example:443/_x',
    'scheme is data': 'data:text/plain,x',
    'URL is none': 'receiver.example',
    'URL is empty': '',
    'URL is relative': '//receiver.example/',
    'URL has a user name': 'https://user@receiver.example/',
    'URL has a password': 'https://:secret@receiver.example/',
    'URL hides its host behind a user name': 'https://receiver.example:443@127.0.0.1/',
    'URL is a book': `https://receiver.example/${'x'.repeat(3000)}`,
    'host has a zone': 'https://[fe80::1%25eth0]/',
    'host is a number too large': 'https://4294967296/',
  };
  it.each(Object.keys(urls))('%s', async (name) => {
    expect(await fault(urls[name]!, get, trap.seams(['8.8.8.8']))).toBe('request');
    expect(trap).toMatchObject({ dialled: [], asked: [] });
  });

  const headers: Record<string, Record<string, string>> = {
    'header names another host': { Host: 'internal' },
    'header frames the body': { 'Transfer-Encoding': 'chunked' },
    'header counts the body': { 'content-length': '0' },
    'header is for a proxy': { 'Proxy-Authorization': 'Basic x' },
    'header asks for an upgrade': { Upgrade: 'websocket' },
    'header value breaks the line': { 'x-key': 'a\r\nHost: internal' },
    'header name breaks the line': { 'x\r\nhost': 'internal' },
    'header name is empty': { '': 'x' },
  };
  it.each(Object.keys(headers))('%s', async (name) => {
    expect(await fault('https://receiver.example/', { ...get, headers: headers[name]! }, trap.seams(['8.8.8.8']))).toBe(
      'request',
    );
    expect(trap).toMatchObject({ dialled: [], asked: [] });
  });
});

describe('an answer', () => {
  it('comes back whole, for a request that arrived as it was given', async () => {
    let seen: { method?: string; url?: string; headers?: IncomingMessage['headers']; body?: string } = {};
    const url = await httpServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen = { method: request.method!, url: request.url!, headers: request.headers, body };
      response.writeHead(422, { 'x-reason': 'no' }).end(Buffer.from([0, 255, 10]));
    });
    const port = new URL(url).port;
    const answer = await guardedFetch(
      `http://receiver.example:${port}/a/../b?c=d#e`,
      { ...local, method: 'POST', headers: { 'X-Key': 'k' }, body: 'péng' },
      seams,
    );
    expect(answer).toMatchObject({ status: 422, headers: { 'x-reason': 'no' }, body: Buffer.from([0, 255, 10]) });
    expect(seen).toMatchObject({ method: 'POST', url: '/b?c=d', body: 'péng' });
    expect(seen.headers).toMatchObject({ host: `receiver.example:${port}`, 'x-key': 'k', 'content-length': '5' });
  });

  it.each([300, 301, 302, 303, 304, 307, 308, 399])('of %i is not followed', async (status) => {
    let asked = 0;
    const url = await httpServer((request, response) => {
      asked++;
      response.writeHead(status, { location: `http://${request.headers.host}/secret` }).end('inside');
    });
    expect(await fault(url, local, seams)).toBe('redirect');
    expect(asked).toBe(1);
  });

  it('may be as large as allowed, and not a byte larger, whether it says so or not', async () => {
    const url = await httpServer((request, response) => {
      const size = Number(request.url!.slice(2));
      if (request.url!.startsWith('/l')) response.setHeader('content-length', size);
      for (let sent = 0; sent < size; sent += 1000) response.write('x'.repeat(Math.min(1000, size - sent)));
      response.end();
    });
    for (const kind of ['l', 'c']) {
      expect((await guardedFetch(`${url}/${kind}100000`, local, seams)).body).toHaveLength(100_000);
      expect(await fault(`${url}/${kind}100001`, local, seams)).toBe('too_large');
    }
  });

  it('that is refused is not read on: its connection ends', async () => {
    const closed: string[] = [];
    const url = await httpServer((request, response) => {
      const status = Number(request.url!.slice(1));
      response.writeHead(status, { location: '/', ...(status === 200 ? { 'content-length': '999999' } : {}) });
      response.write('and so on');
      response.on('close', () => closed.push(request.url!));
    });
    expect(await fault(`${url}/302`, local, seams)).toBe('redirect');
    expect(await fault(`${url}/200`, local, seams)).toBe('too_large');
    await expect.poll(() => closed).toEqual(['/302', '/200']);
  });

  it('that announces too much is not waited for', async () => {
    const url = await tcpServer((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n'));
    expect(await fault(url, local, seams)).toBe('too_large');
  });

  it('that never ends is cut off at its size, with the connection', async () => {
    let closed = false;
    const url = await httpServer((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
        if (!response.destroyed) response.once('drain', more);
      };
      response.on('close', () => {
        closed = true;
      });
      more();
    });
    expect(await fault(url, local, seams)).toBe('too_large');
    await expect.poll(() => closed).toBe(true);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['does not begin', () => {}],
    ['does not go on', (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')],
    ['has headers without end', (socket) => void socket.write('HTTP/1.1 200 OK\r\nx: y\r\n')],
    ['only says that it will come', (socket) => void socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')],
  ])('that %s ends at its time', async (_, talk) => {
    const url = await tcpServer(talk);
    const started = performance.now();
    expect(await fault(url, { ...local, timeoutMs: 150 }, seams)).toBe('timeout');
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('is not waited for longer when the resolver hangs', async () => {
    const hanging: EgressSeams = { lookup: () => new Promise(() => {}) };
    expect(await fault('https://receiver.example/', { ...get, timeoutMs: 50 }, hanging)).toBe('timeout');
  });

  it('is not waited for longer when the resolver was slow, and no further address is tried then', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const sockets: Socket[] = [];
    let answer: (addresses: string[]) => void;
    const slow: EgressSeams = {
      lookup: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      connect: () => {
        sockets.push(new Socket());
        return sockets.at(-1)!;
      },
    };
    try {
      const ended = fault('https://receiver.example/', { ...get, timeoutMs: 200 }, slow);
      await vi.advanceTimersByTimeAsync(150);
      answer!(['8.8.8.8', '1.1.1.1']);
      await vi.advanceTimersByTimeAsync(49);
      expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false]);
      await vi.advanceTimersByTimeAsync(1);
      expect(await ended).toBe('timeout');
      expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each<[string, string]>([
    ['breaks off', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    ['breaks off between chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'],
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['is nothing', ''],
    ['has 1 MB of headers', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1_000_000)}\r\n\r\n`],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc'],
  ])('that %s is none, and nothing of it is shown', async (_, bytes) => {
    const url = await tcpServer((socket) => void socket.end(bytes));
    const caught = await guardedFetch(url, local, seams).catch((error: EgressError) => error);
    expect(caught).toMatchObject({
      fault: 'unreachable',
      message: 'The host does not answer as it should, or its certificate is not valid.',
    });
  });

  it('comes from the next address when the first is dead', async () => {
    const url = await httpServer((_, response) => response.end('second'));
    const both = { lookup: async () => ['127.0.0.2', '127.0.0.1'] };
    const port = new URL(url).port;
    expect((await guardedFetch(`http://receiver.example:${port}/`, local, both)).body.toString()).toBe('second');
  });

  it('does not come when all addresses are dead', async () => {
    const both = { lookup: async () => ['127.0.0.2', '127.0.0.3'] };
    const url = await httpServer((_, response) => response.end());
    expect(await fault(url.replace('127.0.0.1', 'receiver.example'), local, both)).toBe('unreachable');
  });
});

describe('over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-egress-'));
  let server: TlsServer;
  let port: number;
  let certificate: string;
  const names: (string | false | null | undefined)[] = [];
  let requests = 0;

  beforeAll(async () => {
    const { certFile, keyFile } = await writeDemoCertificate(folder, Date.now(), ['receiver.example']);
    certificate = readFileSync(certFile, 'utf8');
    server = createTlsServer({ cert: certificate, key: readFileSync(keyFile) }, (request, response) => {
      requests++;
      response.end(request.headers.host);
    });
    server.on('secureConnection', (socket) => names.push(socket.servername));
    port = await listening(server);
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    names.length = 0;
    requests = 0;
  });

  const trusting = (): EgressSeams => ({ ...seams, certificates: [certificate] });

  it("the name stays the host's in SNI and Host, although an address is dialled", async () => {
    const answer = await guardedFetch(`https://receiver.example:${port}/`, local, trusting());
    expect(answer.body.toString()).toBe(`receiver.example:${port}`);
    expect(names).toEqual(['receiver.example']);
  });

  it('a final dot is no part of the name, and an address is none', async () => {
    expect((await guardedFetch(`https://receiver.example.:${port}/`, local, trusting())).status).toBe(200);
    expect((await guardedFetch(`https://127.0.0.1:${port}/`, local, trusting())).status).toBe(200);
    expect(names).toEqual(['receiver.example', false]);
  });

  it('nothing is sent to a host with the certificate of another, or one nobody vouches for', async () => {
    expect(await fault(`https://other.example:${port}/`, local, trusting())).toBe('unreachable');
    expect(await fault(`https://127.0.0.2:${port}/`, local, trusting())).toBe('unreachable');
    expect(await fault(`https://receiver.example:${port}/`, local, seams)).toBe('unreachable');
    expect(requests).toBe(0);
  });

  it('the environment cannot switch that off', async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      expect(await fault(`https://receiver.example:${port}/`, local, seams)).toBe('unreachable');
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
    expect(requests).toBe(0);
  });

  it('a host that accepts and says nothing is given up in time', async () => {
    const silent = new URL(await tcpServer(() => {})).port;
    expect(await fault(`https://receiver.example:${silent}/`, { ...local, timeoutMs: 100 }, trusting())).toBe(
      'timeout',
    );
  });
});
