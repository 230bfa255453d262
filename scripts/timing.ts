// Whether the time of a refusal tells anything: an unknown client, a wrong secret of a known one, and one that begins like
// the right one are asked for in random order over one connection. Welch's t of each pair must stay below 4.5, the limit of
// dudect and of ISO 17825.
//
//   npx tsx scripts/timing.ts [--tries 20000] [--crop 10] [--door token|page|scrape-token|assertion]
//                             [--weir dist/src/cli/weir.js]
//
// The door is the token endpoint, or a page asked for by HTTP Basic; without one, both. "scrape-token" is a page asked for by
// a scrape token, "assertion" the token endpoint by a signed assertion: the wrong key, and the wrong key under the name of
// the right one.
//
// As in dudect, the slowest tries of all kinds together are left out (--crop, in percent): they are the machine's doing.
// Each try comes from another address, so that all are answered 401 and none is throttled.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomInt, sign } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    tries: { type: 'string', default: '20000' },
    crop: { type: 'string', default: '10' },
    door: { type: 'string', multiple: true, default: ['token', 'page'] },
    weir: { type: 'string', default: 'dist/src/cli/weir.js' },
  },
});
const tries = wholeNumber('tries', options.tries, 100);
const cropPercent = wholeNumber('crop', options.crop, 0);
const program = resolve(options.weir);
const limit = 4.5;
const kinds = ['unknown client', 'wrong secret', 'right prefix'] as const;
type Kind = (typeof kinds)[number];

/** What is asked with an id and a secret: the right one begins like the others of its kind. */
interface Door {
  readonly secret: string;
  request(id: string, secret: string): { readonly lines: readonly string[]; readonly body: string };
}

const post = (body: string, ...more: string[]) => {
  const type = 'Content-Type: application/x-www-form-urlencoded';
  return { lines: ['POST /oauth/token HTTP/1.1', type, `Content-Length: ${body.length}`, ...more], body };
};
const get = (authorization: string) => {
  return { lines: ['GET /api/v1/timing/metrics HTTP/1.1', `Authorization: ${authorization}`], body: '' };
};
const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const encoded = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');

if (!existsSync(program)) fail(`${program} is not there; run "npm run build" first, or name another with --weir.`);
const folder = mkdtempSync(join(tmpdir(), 'weir-timing-'));
let server: ChildProcess | undefined;
process.on('exit', () => {
  server?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
setTimeout(() => fail('this took more than 9 minutes: the machine is too busy'), 9 * 60_000).unref();

const url = await start();
await weir('project', 'create', 'Timing', '--id=timing');
const client = await weir('client', 'create', 'timing', '--project=timing', '--scope=read:metrics');
const id = client.client_id!;
await weir('client', 'set', id, '--allow-basic=on');

const scrapeToken = (await weir('client', 'token', 'create', id)).token!;
const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyFile = join(folder, 'client.pem');
writeFileSync(keyFile, own.publicKey.export({ type: 'spki', format: 'pem' }));
const { kid } = await weir('client', 'key', 'add', id, keyFile);

const prefixed = (secret: string): string => `weir_cs_${secret}`;
const clientSecret = client.client_secret!.slice(prefixed('').length);
/** Signed by the client's own key, under its name, or by another, under that name or another as long. */
const assertion = (who: string, secret: string): string => {
  const named = secret.startsWith(clientSecret.slice(0, clientSecret.length / 2)) ? kid! : `-${kid!.slice(1)}`;
  const claims = { iss: who, sub: who, aud: url, exp: Math.floor(Date.now() / 1000) + 60, jti: secret };
  const input = `${encoded({ alg: 'ES256', kid: named })}.${encoded(claims)}`;
  const key = secret === clientSecret ? own.privateKey : stranger.privateKey;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
};
const login = 'grant_type=client_credentials';
const byAssertion = 'client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=';
const doors: Readonly<Record<string, Door>> = {
  token: {
    secret: clientSecret,
    request: (who, secret) => post(login, `Authorization: ${basic(who, prefixed(secret))}`),
  },
  page: { secret: clientSecret, request: (who, secret) => get(basic(who, prefixed(secret))) },
  'scrape-token': {
    secret: scrapeToken.slice(-clientSecret.length),
    request: (who, secret) => get(`Bearer weir_st_${who.slice('weir_cid_'.length)}${secret}`),
  },
  assertion: {
    secret: clientSecret,
    request: (who, secret) => post(`${login}&${byAssertion}${assertion(who, secret)}`),
  },
};

let holds = true;
for (const name of options.door) {
  const door = doors[name];
  if (door === undefined) fail(`--door is one of ${Object.keys(doors).join(', ')}`);
  const ask = await asker(url, door);
  if ((await ask(id, door.secret)).status !== 200) fail('the right secret is refused');
  // Code gets compiled, caches get filled.
  for (let i = 0; i < Math.min(2000, tries); i++) await attempt(ask, door, kinds[i % kinds.length]!);
  const times = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  for (const kind of shuffled(kinds.flatMap((each) => new Array<Kind>(tries).fill(each)))) {
    times.get(kind)!.push(await attempt(ask, door, kind));
  }
  console.log(`${name}:`);
  if (!report(times)) holds = false;
}
process.exit(holds ? 0 : 1);

/** Microseconds until a guess of this kind was refused. */
async function attempt(ask: Ask, door: Door, kind: Kind): Promise<number> {
  // All are made for each: a server that sleeps longer, if only for a microsecond, wakes up later.
  const random = randomBytes(32).toString('base64url');
  const other = `weir_cid_${randomBytes(16).toString('base64url')}`;
  const half = door.secret.slice(0, door.secret.length / 2);
  const guesses: Record<Kind, [id: string, secret: string]> = {
    'unknown client': [other, random],
    'wrong secret': [id, random],
    'right prefix': [id, half + random.slice(0, door.secret.length - half.length)],
  };
  const { status, microseconds } = await ask(...guesses[kind]);
  if (status !== 401) fail(`${kind} was answered ${status}`);
  return microseconds;
}

function report(times: ReadonlyMap<Kind, readonly number[]>): boolean {
  const sorted = [...times.values()].flat().sort((a, b) => a - b);
  const longest = sorted[Math.ceil(sorted.length * (1 - cropPercent / 100)) - 1]!;
  const kept = kinds.map((kind) => ({ kind, moments: momentsOf(times.get(kind)!.filter((each) => each <= longest)) }));
  for (const { kind, moments } of kept) {
    const { mean, variance, count } = moments;
    console.log(
      `${kind}: ${mean.toFixed(2)} µs, deviation ${Math.sqrt(variance).toFixed(2)}, ${count} of ${tries} kept`,
    );
  }
  let holds = true;
  for (const [i, a] of kept.entries()) {
    for (const b of kept.slice(i + 1)) {
      const t = Math.abs(welch(a.moments, b.moments));
      if (!(t < limit)) holds = false;
      console.log(`t = ${t.toFixed(2)} between ${a.kind} and ${b.kind}${t < limit ? '' : `: MORE THAN ${limit}`}`);
    }
  }
  return holds;
}

interface Moments {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
}

function momentsOf(values: readonly number[]): Moments {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return { mean, variance, count };
}

function welch(a: Moments, b: Moments): number {
  return (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
}

type Ask = (id: string, secret: string) => Promise<{ status: number; microseconds: number }>;

/** Asks over one connection; the time is from the writing of the request to the first byte of the answer. */
async function asker(origin: string, door: Door): Promise<Ask> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  socket.setEncoding('latin1');
  let received = '';
  let answered: (result: { status: number; microseconds: number }) => void;
  let asked = 0n;
  let first = 0n;
  socket.on('data', (text: string) => {
    if (received === '') first = process.hrtime.bigint();
    received += text;
    const end = received.indexOf('\r\n\r\n');
    // The body may come by itself, and its end without a length.
    const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1];
    const whole =
      length === undefined
        ? received.endsWith('\r\n0\r\n\r\n')
        : end >= 0 && received.length >= end + 4 + Number(length);
    if (end < 0 || !whole) return;
    const status = Number(received.slice(9, 12));
    received = '';
    answered({ status, microseconds: Number(first - asked) / 1000 });
  });
  socket.on('error', (error) => fail(error.message));
  return (id, secret) => {
    const { lines: asking, body } = door.request(id, secret);
    const lines = [
      ...asking,
      'Host: timing',
      // Always as long, and an IPv6 /64 of its own.
      `X-Forwarded-For: 2001:db8:${randomInt(4096, 65536).toString(16)}:${randomInt(4096, 65536).toString(16)}::1`,
    ];
    const request = `${lines.join('\r\n')}\r\n\r\n${body}`;
    return new Promise((resolve) => {
      answered = resolve;
      asked = process.hrtime.bigint();
      socket.write(request);
    });
  };
}

async function start(): Promise<string> {
  const database = `--storage.path=${join(folder, 'weir.db')}`;
  const listeners = ['--web.listen-address=127.0.0.1:0', '--operator.listen-address=127.0.0.1:0'];
  const rest = ['--web.trusted-proxies=127.0.0.1', '--log.level=info', '--log.format=json'];
  const child = spawn(process.execPath, [program, 'serve', database, ...listeners, ...rest]);
  server = child;
  let output = '';
  return new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-10_000);
        const found = /"listener":"public","address":"([^"]+)"/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
    child.on('exit', () => fail(`the gateway ended: ${output}`));
  });
}

/** A command on the gateway's database. */
async function weir(...args: string[]): Promise<Record<string, string>> {
  const child = spawn(process.execPath, [
    program,
    ...args,
    `--storage.path=${join(folder, 'weir.db')}`,
    '--format=json',
  ]);
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) fail(`weir ${args.join(' ')} ended with ${code}`);
  return JSON.parse(printed) as Record<string, string>;
}

function shuffled<T>(values: T[]): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < least) fail(`--${name} must be a whole number from ${least}`);
  return number;
}

function fail(message: string): never {
  console.error(`timing: ${message}`);
  process.exit(1);
}
