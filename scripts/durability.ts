// Kills a real `weir serve` with SIGKILL again and again while many producers push, and looks after each restart
// whether every answer it gave was true: nothing acknowledged is lost, nothing deleted came back, the file is sound.
//
//   npx tsx scripts/durability.ts --kills 100 --writers 16 [--strict] [--weir dist/src/cli/weir.js]
//
// What a killed process had handed to the kernel survives it, synced or not, so this finds answers given before COMMIT
// and faulty recovery, not a missing fsync: that `synchronous` is FULL is asserted at each start.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import Sqlite from 'better-sqlite3';

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    writers: { type: 'string', default: '16' },
    weir: { type: 'string', default: 'dist/src/cli/weir.js' },
    strict: { type: 'boolean', default: false },
  },
});
const kills = wholeNumber('kills', options.kills);
const writerCount = wholeNumber('writers', options.writers);
const program = resolve(options.weir);
const readyPromiseMs = 1000;
const startTimeoutMs = 30_000;
const requestTimeoutMs = 10_000;
/** Each group holds this many series of one value, so that half a group would show. */
const seriesPerFamily = 20;
const projectId = 'durability';
const endpointIds = ['e0', 'e1', 'e2', 'e3'];

/** What a group holds: the value of each family, none when the family is not there. */
interface Held {
  readonly put: number | undefined;
  readonly post: number | undefined;
}

interface Writer {
  readonly name: string;
  readonly path: string;
  value: number;
  acknowledged: Held;
  /** What the group holds if the push under way, whose answer nobody has seen, was stored. */
  underway: Held | undefined;
}

interface Found {
  kills: number;
  acknowledgedPushes: number;
  restarts: number;
  killedWhileStarting: number;
  readonly readyMs: number[];
  readonly lost: string[];
  readonly corrupt: string[];
}

if (!existsSync(program)) {
  console.error(`${program} is not there; run "npm run build" first, or name another with --weir.`);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'weir-durability-'));
const database = join(folder, 'weir.db');
const watchdog = startWatchdog();
let server: ChildProcess | undefined;
process.on('exit', () => server?.kill('SIGKILL'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    process.exit(130);
  });
}

const found: Found = {
  kills: 0,
  acknowledgedPushes: 0,
  restarts: 0,
  killedWhileStarting: 0,
  readyMs: [],
  lost: [],
  corrupt: [],
};
process.exitCode = 1;
try {
  await run();
  if (report()) process.exitCode = 0;
} catch (error) {
  console.error(error);
} finally {
  await killServer();
  if (process.exitCode === 0) rmSync(folder, { recursive: true, force: true });
  else console.error(`The database is kept in ${folder}.`);
}

async function run(): Promise<void> {
  const [webPort, operatorPort] = [await freePort(), await freePort()];
  const writers = Array.from({ length: writerCount }, (_, index) => newWriter(index));
  await start(webPort, operatorPort);
  const authorization = await prepareProject(webPort);
  for (let kill = 1; kill <= kills; kill++) {
    const agent = new Agent({ keepAlive: true });
    let killed = false;
    const pushing = writers.map((writer) => pushUntil(() => killed, writer, webPort, agent, authorization));
    await Promise.race([sleep(20 + Math.random() * 400), Promise.all(pushing)]);
    killed = true;
    await killServer();
    found.kills++;
    await Promise.all(pushing);
    agent.destroy();
    while (Math.random() < 0.1) await killWhileStarting(webPort, operatorPort);
    await start(webPort, operatorPort);
    await compare(writers, webPort, authorization);
    const { acknowledgedPushes, readyMs, lost } = found;
    console.error(
      `kill ${kill}/${kills}: ${acknowledgedPushes} pushes acknowledged, ${lost.length} lost, ready after ${readyMs.at(-1)!.toFixed(0)} ms`,
    );
    if (lost.length > 0 || found.corrupt.length > 0) break;
  }
}

/** Through the command line, as an operator would; gives a token that outlives every restart. */
async function prepareProject(webPort: number): Promise<string> {
  await weir('project', 'create', 'Durability', '--id', projectId);
  for (const id of endpointIds) {
    // A lifetime of 0, so that a group that is gone was lost and did not merely end.
    await weir('endpoint', 'create', id, '--project', projectId, '--metrics-id', id, '--lifetime', '0');
  }
  const scopes = ['--scope', 'read:metrics', '--scope', 'write:metrics'];
  const client = await weir('client', 'create', 'writers', '--project', projectId, ...scopes);
  const response = await fetch(`http://127.0.0.1:${webPort}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.client_id!,
      client_secret: client.client_secret!,
    }),
  });
  const { access_token } = (await response.json()) as { access_token?: string };
  if (access_token === undefined) throw new Error(`no token: the gateway answered ${response.status}`);
  return `Bearer ${access_token}`;
}

async function weir(...args: string[]): Promise<Record<string, string>> {
  const all = [program, ...args, '--storage.path', database, '--format', 'json'];
  const { stdout } = await promisify(execFile)(process.execPath, all, { timeout: startTimeoutMs });
  return JSON.parse(stdout) as Record<string, string>;
}

function newWriter(index: number): Writer {
  const name = `writer-${index}`;
  const endpoint = endpointIds[index % endpointIds.length]!;
  const path = `/api/v1/${projectId}/${endpoint}/metrics/job/${name}`;
  return { name, path, value: 0, acknowledged: { put: undefined, post: undefined }, underway: undefined };
}

/** One push after the other, until the server dies; what is under way then stays noted. */
async function pushUntil(
  killed: () => boolean,
  writer: Writer,
  port: number,
  agent: Agent,
  authorization: string,
): Promise<void> {
  while (!killed()) {
    const value = ++writer.value;
    const dice = Math.random();
    const [method, body, after] =
      dice < 0.05
        ? (['DELETE', '', { put: undefined, post: undefined }] as const)
        : dice < 0.5
          ? (['POST', family('durability_post', value), { ...writer.acknowledged, post: value }] as const)
          : (['PUT', family('durability_put', value), { put: value, post: undefined }] as const);
    writer.underway = after;
    let status: number;
    try {
      status = (await send(port, method, writer.path, body, agent, authorization)).status;
    } catch (error) {
      if (killed()) return;
      throw new Error(`${method} ${writer.path} failed while the server was up`, { cause: error });
    }
    if (status !== (method === 'DELETE' ? 202 : 200)) throw new Error(`${method} ${writer.path} answered ${status}`);
    writer.acknowledged = after;
    writer.underway = undefined;
    found.acknowledgedPushes++;
  }
}

function family(name: string, value: number): string {
  const lines = Array.from({ length: seriesPerFamily }, (_, part) => `${name}{part="${part}"} ${value}\n`);
  return `# TYPE ${name} gauge\n${lines.join('')}`;
}

/** Looks at the page and at the file while nobody pushes; what is found is what the writers go on from. */
async function compare(writers: readonly Writer[], port: number, authorization: string): Promise<void> {
  const agent = new Agent();
  const { status, text } = await send(port, 'GET', `/api/v1/${projectId}/metrics`, '', agent, authorization);
  if (status !== 200) throw new Error(`the page answered ${status}`);
  const file = new Sqlite(database, { readonly: true });
  try {
    const verdict = file.pragma('integrity_check', { simple: true });
    if (verdict !== 'ok') found.corrupt.push(String(verdict));
    const rows = file.prepare('SELECT samples FROM push_group').all() as { samples: Buffer }[];
    const stored = valuesIn(rows.map(({ samples }) => samples.toString()).join(''));
    const served = valuesIn(text);
    for (const writer of writers) {
      const [onDisk, onPage] = [heldBy(writer, stored), heldBy(writer, served)];
      const { acknowledged, underway } = writer;
      const truths = [acknowledged, ...(underway === undefined ? [] : [underway])].map(show);
      for (const [where, held] of [
        ['file', onDisk],
        ['page', onPage],
      ] as const) {
        if (!truths.includes(show(held))) {
          found.lost.push(`${writer.name}: the ${where} has ${show(held)}, not ${truths.join(' or ')}`);
        }
      }
      if (show(onDisk) !== show(onPage)) found.lost.push(`${writer.name}: file and page differ`);
      writer.acknowledged = { put: onDisk.put?.[0], post: onDisk.post?.[0] };
      writer.underway = undefined;
    }
  } finally {
    file.close();
  }
}

type Values = ReadonlyMap<string, readonly number[]>;

/** The values of each writer's families in lines of the text format. */
function valuesIn(text: string): Values {
  const values = new Map<string, number[]>();
  for (const [, name, job, value] of text.matchAll(/^(durability_\w+)\{.*job="([^"]+)".*\} (\S+)$/gm)) {
    const key = `${name} ${job}`;
    values.set(key, [...(values.get(key) ?? []), Number(value)]);
  }
  return values;
}

function heldBy({ name }: Writer, values: Values) {
  return { put: values.get(`durability_put ${name}`), post: values.get(`durability_post ${name}`) };
}

/** A whole family of one value shows as that value, anything else as what it is. */
function show({ put, post }: Record<'put' | 'post', number | readonly number[] | undefined>): string {
  const one = (held: number | readonly number[] | undefined): string => {
    if (held === undefined || typeof held === 'number') return String(held ?? 'none');
    const whole = held.length === seriesPerFamily && held.every((value) => value === held[0]);
    return whole ? String(held[0]) : `${held.length} series of ${[...new Set(held)].join('/')}`;
  };
  return `put ${one(put)}, post ${one(post)}`;
}

async function start(webPort: number, operatorPort: number): Promise<void> {
  const spawned = performance.now();
  const child = spawnServer(webPort, operatorPort);
  while (performance.now() - spawned < startTimeoutMs) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the server ended while it started');
    if (await isReady(operatorPort)) {
      found.readyMs.push(performance.now() - spawned);
      found.restarts++;
      return;
    }
    await sleep(5);
  }
  throw new Error(`the server was not ready within ${startTimeoutMs / 1000} s`);
}

/** A crash in the middle of recovering from one. */
async function killWhileStarting(webPort: number, operatorPort: number): Promise<void> {
  spawnServer(webPort, operatorPort);
  await sleep(Math.random() * (found.readyMs.at(-1) ?? 0));
  await killServer();
  found.killedWhileStarting++;
}

function spawnServer(webPort: number, operatorPort: number): ChildProcess {
  const args = ['serve', '--storage.path', database, '--log.level', 'warn'];
  args.push('--web.listen-address', `127.0.0.1:${webPort}`, '--operator.listen-address', `127.0.0.1:${operatorPort}`);
  server = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  watchdog.stdin!.write(`${server.pid}\n`);
  return server;
}

async function killServer(): Promise<void> {
  if (server === undefined) return;
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
  server = undefined;
  watchdog.stdin!.write('\n');
}

/** Ends the server when this program is itself killed: the watchdog's input ends with us. */
function startWatchdog(): ChildProcess {
  const script = 'while read -r line; do pid=$line; done; [ -z "$pid" ] || kill -9 "$pid"';
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return child;
}

async function isReady(operatorPort: number): Promise<boolean> {
  try {
    return (await send(operatorPort, 'GET', '/-/ready', '', new Agent(), '')).status === 200;
  } catch {
    return false;
  }
}

/** Node's own client, because it never sends a request a second time. */
function send(port: number, method: string, path: string, body: string, agent: Agent, authorization: string) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = {
      authorization,
      ...(method === 'PUT' || method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}),
    };
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent, timeout: requestTimeoutMs });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ status: incoming.statusCode!, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.end(body);
  });
}

/** Below the ports the kernel gives to clients: one that connects while the server is down must not become its port. */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const outcome = await Promise.race([
      once(probe.listen(port, '127.0.0.1'), 'listening').then(() => true),
      once(probe, 'error').then(() => false),
    ]).catch(() => false);
    probe.close();
    if (outcome) return port;
  }
  throw new Error('no free port found');
}

function report(): boolean {
  const { acknowledgedPushes, killedWhileStarting, lost, corrupt, restarts } = found;
  const sorted = [...found.readyMs].sort((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0;
  const p99 = quantile(0.99);
  for (const sentence of [...lost, ...corrupt]) console.log(`broken: ${sentence}`);
  console.log(
    `kills: ${kills} while ${writerCount} writers pushed, ${killedWhileStarting} more while the server started`,
  );
  console.log(`acknowledged pushes: ${acknowledgedPushes}`);
  console.log(`lost or come back: ${lost.length} (promise: 0)`);
  console.log(
    `integrity_check: ${corrupt.length === 0 ? 'ok' : 'broken'} after ${restarts - 1} restarts (promise: ok)`,
  );
  console.log(
    `ready: p50 ${quantile(0.5).toFixed(0)} ms, p99 ${p99.toFixed(0)} ms (promise: p99 < ${readyPromiseMs} ms)`,
  );
  const inTime = p99 < readyPromiseMs;
  if (!inTime && !options.strict) console.error('Ready took too long; that fails only with --strict.');
  return lost.length === 0 && corrupt.length === 0 && (inTime || !options.strict);
}

function wholeNumber(name: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${name} must be a whole number from 1 up, not "${text}"`);
  return Number(text);
}
