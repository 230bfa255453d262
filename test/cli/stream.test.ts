import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { streamCommand } from '../../src/cli/stream.js';
import { systemClock } from '../../src/domain/clock.js';
import { openSqliteStore } from '../../src/storage/sqlite/store.js';
import { TestGateway } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';

let gateway: TestGateway;
let server: Recorder;

beforeAll(async () => {
  gateway = await TestGateway.boot({ clock: systemClock, seams: { streamTickMs: 5 } });
  server = await new Recorder().listen();
  await gateway.project('acme', 'db');
});
afterAll(async () => {
  await gateway.stop();
  server.close();
});

/** What the command prints; works on the store of the running gateway. */
async function run(...args: string[]): Promise<Record<string, unknown>> {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const { path } = gateway.config.storage;
    await streamCommand().parseAsync([...args, `--storage.path=${path}`, '--format=json'], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  expect(printed).not.toContain('dd-canary');
  return JSON.parse(printed) as Record<string, unknown>;
}

interface Delivery {
  readonly id: string;
  readonly to: string;
  readonly status: string;
}

/** Newest first. */
const deliveries = async (id: string): Promise<Delivery[]> => (await run('deliveries', id)) as unknown as Delivery[];

function file(name: string, content: unknown): string {
  const path = join(gateway.folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

it('creates, shows, changes, tests, follows, repeats and deletes a stream beside the running server', async () => {
  const configuration = { api_key: 'dd-canary', url: server.url };
  const body = file('stream.json', {
    name: 'mine',
    subscriptions: [{ metric_type: 'project.metrics' }],
    destination: { type: 'datadog', configuration },
  });
  const made = await run('create', body, '--project=acme');
  const id = made.id as string;
  expect(made).toMatchObject({ id: expect.stringMatching(/^mst_/), status: 'enabled', name: 'mine' });
  // The server takes it up by itself.
  await expect.poll(() => server.taken.length).toBeGreaterThan(0);
  expect(await run('list')).toMatchObject([{ id, destination: 'datadog', status: 'enabled', health: 'ok' }]);

  // The clock is the real one: more windows may end meanwhile, so the first is told by what it carried.
  const sent = server.taken[0]!.body;
  const delivered = async () => (await deliveries(id)).filter(({ status }) => status === 'delivered');
  await expect.poll(async () => (await delivered()).length).toBeGreaterThan(0);
  const first = (await delivered()).at(-1)!;
  expect(first).toMatchObject({ attempts: [{ status: 202 }] });
  expect(await run('redeliver', id, `--delivery=${first.id}`)).toEqual({ id, redelivered: 1 });
  await expect.poll(() => server.taken.filter(({ body }) => body.equals(sent)).length).toBe(2);
  expect(await run('redeliver', id, `--from=${first.to}`)).toMatchObject({ id });

  const allowed = ['--streams.allowed-networks=127.0.0.1', '--streams.allow-http=true'];
  expect(await run('test', id, ...allowed)).toMatchObject({ delivered: true, status: 202 });
  const before = file('destination.json', { type: 'datadog', configuration });
  expect(await run('test', '--project=acme', `--destination=${before}`)).toMatchObject({ delivered: false });
  expect(process.exitCode).toBe(1);
  process.exitCode = 0;

  expect(await run('set', id, '--status=disabled', '--name=yours')).toMatchObject({
    status: 'disabled',
    name: 'yours',
  });
  expect(await run('get', id)).toMatchObject({ destination: { configuration: { api_key: '***', url: server.url } } });
  const store = openSqliteStore({ path: gateway.config.storage.path, now: Date.now, exclusive: false });
  const audit = (await store.audit.list({ projectId: 'acme', limit: 100 })).map(({ action }) => action);
  await store.close();
  expect(audit).toEqual(expect.arrayContaining(['stream.create', 'stream.redeliver', 'stream.disable']));
  expect(await run('delete', id)).toEqual({ id, deleted: true });
  await expect(run('get', id)).rejects.toThrow('no such metric stream');
});

it.each([
  [['create', '/no/such/file', '--project=acme'], 'cannot be read'],
  [['set', 'mst_x'], 'nothing to change'],
  [['test'], 'Give either'],
  [['redeliver', 'mst_x'], 'Give --delivery'],
  [['redeliver', 'mst_x', '--from=yesterday'], 'Write a time like'],
])('%j is refused with a sentence', async (args, sentence) => {
  await expect(run(...args)).rejects.toThrow(sentence);
});
