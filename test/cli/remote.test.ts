import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { accessLogCommand } from '../../src/cli/access-log.js';
import { auditCommand } from '../../src/cli/audit.js';
import { banCommand } from '../../src/cli/ban.js';
import { clientCommand } from '../../src/cli/client.js';
import { endpointCommand } from '../../src/cli/endpoint.js';
import { keyCommand } from '../../src/cli/key.js';
import { projectCommand } from '../../src/cli/project.js';
import { streamCommand } from '../../src/cli/stream.js';
import { usageCommand } from '../../src/cli/usage.js';
import { systemClock } from '../../src/domain/clock.js';
import { managementScopes } from '../../src/domain/scopes.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';

const nouns: Record<string, () => Command> = {
  project: projectCommand,
  endpoint: endpointCommand,
  client: clientCommand,
  stream: streamCommand,
  key: keyCommand,
  usage: usageCommand,
  'access-log': accessLogCommand,
  audit: auditCommand,
  ban: banCommand,
};

let gateway: TestGateway;
let operator: Credentials;
let scraper: Credentials;
let destination: Recorder;
/** Of a stream that has sent and is disabled. */
let streamId: string;

beforeAll(async () => {
  gateway = await TestGateway.boot({ clock: systemClock, seams: { streamTickMs: 5, writeRecordsEveryMs: 20 } });
  destination = await new Recorder().listen();
  await gateway.project('acme', 'db1');
  operator = await gateway.client(null, [...managementScopes]);
  scraper = await gateway.client('acme', ['read:metrics']);
  await gateway.bearerOf(scraper);
  await gateway.scrapeToken(scraper);
  await gateway.admin.clients.addKeys(scraper.clientId, keyFile('EC').pem);
  for (let i = 0; i < 21; i++) {
    await (await gateway.token({ grant_type: 'client_credentials' }, basic(scraper.clientId, 'wrong'))).arrayBuffer();
  }
  await vi.waitFor(async () => expect(await gateway.admin.bans.list()).toHaveLength(1));
  streamId = (await gateway.admin.streams.create('acme', streamBody())).id;
  await delivered(streamId);
  await gateway.admin.streams.update(streamId, { status: 'disabled' });
  await vi.waitFor(async () => expect(await waiting(streamId)).toHaveLength(0));
  // Last uses are written every 2 seconds.
  const lastUse = async () => (await gateway.admin.clients.secrets(scraper.clientId))[0]!.lastUse;
  await vi.waitFor(async () => expect(await lastUse()).not.toBeNull(), { timeout: 5000 });
  await vi.waitFor(async () => expect(await gateway.admin.usage.list({ limit: 1 })).toHaveLength(1));
});
afterAll(async () => {
  await gateway.stop();
  destination.close();
});

const streamBody = () => ({
  name: 'mine',
  subscriptions: [
    { metric_type: 'project.metrics', match: ['{instance_id=~"db.*"}'], interval: '1m' },
    { metric_type: 'auth0.api_request.count', exclude_tags: ['client_id'] },
  ],
  destination: { type: 'datadog', configuration: { api_key: 'dd-canary', url: destination.url } },
});
const deliveries = (id: string) => gateway.admin.streams.deliveries(id, { limit: 100 });
const waiting = async (id: string) => (await deliveries(id)).filter(({ status }) => status === 'pending');
const delivered = (id: string) =>
  vi.waitFor(async () => expect((await deliveries(id)).map(({ status }) => status)).toContain('delivered'), 5000);

function keyFile(type: 'EC' | 'PRIVATE'): { pem: Buffer; path: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem =
    type === 'EC'
      ? publicKey.export({ type: 'spki', format: 'pem' })
      : privateKey.export({ type: 'pkcs8', format: 'pem' });
  // One in 64: a command would take it for an option.
  if (thumbprint(publicKey).startsWith('-')) return keyFile(type);
  const path = file(`${type}.pem`, pem as string);
  return { pem: Buffer.from(pem as string), path };
}

/** RFC 7638 §3. */
function thumbprint(key: KeyObject): string {
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

function file(name: string, text: string): string {
  const path = join(gateway.folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(args: readonly string[]): Promise<string> {
  const [noun, ...rest] = args;
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await nouns[noun!]!().parseAsync(rest, { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return printed;
}

const remoteFlags = (who: Credentials = operator): string[] => [
  `--url=${gateway.url}/`,
  `--client-id=${who.clientId}`,
  `--client-secret-file=${file('secret', `${who.clientSecret}\n`)}`,
];
const local = (line: string): Promise<string> =>
  run([...line.split(' '), `--storage.path=${gateway.config.storage.path}`]);
const remote = (line: string, who?: Credentials): Promise<string> => run([...line.split(' '), ...remoteFlags(who)]);

describe('what is read through the server is what is read on the store:', () => {
  it.each([
    'project list',
    'project get acme',
    'endpoint list --project=acme',
    'endpoint get db1 --project=acme',
    'client list',
    'client list --project=acme',
    'client secret list SCRAPER',
    'client key list SCRAPER',
    'client token list SCRAPER',
    'stream list',
    'stream list --project=acme',
    'stream get STREAM',
    'stream deliveries STREAM',
    'stream deliveries STREAM --status=delivered --limit=1',
    'key list',
    'usage',
    'usage --project=acme --from=2020-01-01 --to=2999-12-31',
    'access-log --project=acme',
    'access-log --project=acme --client=SCRAPER --limit=3',
    'audit list',
    'audit list --project=acme',
    'audit list --limit=3',
    'audit list --json-lines',
    'ban list',
  ])('weir %s', async (line) => {
    const command = line.replace('SCRAPER', scraper.clientId).replace('STREAM', streamId);
    for (const format of ['table', 'json']) {
      const printed = await remote(`${command} --format=${format}`);
      expect(printed).toBe(await local(`${command} --format=${format}`));
      expect(printed.length).toBeGreaterThan(20);
    }
  });

  it('an estimate is, too, but for the requests that only the server knows', async () => {
    const estimate = async (weir: typeof local) =>
      JSON.parse(await weir(`stream estimate ${streamId} --format=json`)) as object[];
    const [here, there] = [await estimate(local), await estimate(remote)];
    expect(there[0]).toEqual(here[0]);
    expect(there[0]).toMatchObject({ metric_type: 'project.metrics', series_available: expect.any(Number) });
    expect(here[1]).toMatchObject({ metric_type: 'auth0.api_request.count', series: null });
    expect(there[1]).toMatchObject({ series: expect.any(Number) });
    const file_ = file('subscriptions.json', JSON.stringify(streamBody().subscriptions));
    const before = `stream estimate --project=acme --subscriptions=${file_} --format=json`;
    expect(JSON.parse(await remote(before))).toEqual(there);
    expect(JSON.parse(await local(before))).toEqual(here);
  });

  it('an empty list, too', async () => {
    await gateway.project('empty');
    const line = 'endpoint list --project=empty';
    expect(await remote(line)).toBe(await local(line));
  });
});

/** What a command prints, without what differs from run to run: names, secrets, moments. */
const shape = (printed: string): string =>
  printed
    .replaceAll(/weir_(cid|cs|sec|st|tok)_[\w-]+/g, 'weir_$1')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/[\w-]{43}/g, 'KID')
    .replaceAll(/\b(one|two)\b/g, 'WHICH');

describe('what is done through the server is what is done on the store:', () => {
  it('a life of a project, endpoint and client, line by line', async () => {
    const lives: string[][] = [];
    for (const { id, weir } of [
      { id: 'one', weir: local },
      { id: 'two', weir: remote },
    ]) {
      const printed: string[] = [];
      const does = async (line: string): Promise<Record<string, string>> => {
        const text = await weir(`${line} --format=json`);
        printed.push(shape(text));
        return JSON.parse(text) as Record<string, string>;
      };
      await does(`project create Name --id=${id}`);
      await does(`project set ${id} --limit series=7 --limit scrapes_per_minute=0`);
      await does(`project cardinality ${id} --top=3`);
      await does(`endpoint create Name --project=${id} --metrics-id=e1 --lifetime=1h30m --timestamps=on`);
      await does(`endpoint set e1 --project=${id} --lifetime=0 --timestamps=off --name=renamed --metadata=team=a`);
      await does(`endpoint set e1 --project=${id} --limit=series=9 --limit=samples_per_second=5`);
      await does(`endpoint set e1 --project=${id} --limit=series=0`);
      await does(`project cardinality ${id} --by=endpoint`);
      await does(`endpoint set e1 --project=${id} --no-limit`);
      const rules = file('rules.yml', '- { regex: pod, action: labeldrop }\n');
      await does(`endpoint set e1 --project=${id} --relabel-file=${rules} --dropped-metric=a --dropped-label=c`);
      const { page } = await does(`endpoint preview ${id} e1 --no-dropped-metric`);
      expect(page).toContain('weir_snapshot_timestamp_seconds{instance_id="e1"}');
      printed.pop();
      const made = await does(
        `client create Name --project=${id} --scope=read:metrics --scope=write:metrics --endpoint=e1 --allow-basic`,
      );
      const clientId = made.client_id;
      await does(`client create Name --project=${id} --scope=read:clients,read:event_streams`);
      await does('client create Name --operator --scope=read:bans');
      const { client_secret: secret } = await does(`client rotate ${clientId} --overlap=90m`);
      const secrets = (await does(`client secret list ${clientId}`)) as unknown as Record<string, string>[];
      await does(`client secret revoke ${clientId} ${secrets[1]!.secret_id}`);
      await does(`client set ${clientId} --jwks-url=https://keys.example/jwks.json --allow-basic=off`);
      await does(`client set ${clientId} --jwks-url=none`);
      await does(`client set ${clientId} --scope=read:metrics --all-endpoints`);
      await does(`client set ${clientId} --scope=write:metrics,read:metrics --endpoint=e1`);
      const { kid } = await does(`client key add ${clientId} ${keyFile('EC').path}`);
      await does(`client key remove ${clientId} ${kid}`);
      const { token_id: tokenId } = await does(`client token create ${clientId} --name=edge --expires=10d`);
      await does(`client token list ${clientId}`);
      await does(`client token revoke ${clientId} ${tokenId}`);
      await does(`client disable ${clientId}`);
      await does(`client enable ${clientId}`);
      await does(`client revoke-tokens ${clientId}`);
      const token = await gateway.token({ grant_type: 'client_credentials' }, basic(clientId!, secret!));
      printed.push(String(token.status));
      await token.arrayBuffer();
      await does(`audit list --project=${id} --limit=500`);
      await does(`client delete ${clientId}`);
      await does(`endpoint delete e1 --project=${id}`);
      await does(`project delete ${id}`);
      lives.push(printed);
    }
    const [onStore, through] = lives.map((life) => life.map((text) => text.replaceAll(/"(actor|ip)": .*/g, '"$1"')));
    expect(through).toEqual(onStore);
  });

  it('a life of a stream, line by line', async () => {
    const lives: string[][] = [];
    for (const { id: project, weir } of [
      { id: 'one', weir: local },
      { id: 'two', weir: remote },
    ]) {
      await gateway.project(project, 'db1');
      const printed: string[] = [];
      const does = async (line: string): Promise<Record<string, unknown>> => {
        const text = await weir(`${line} --format=json`);
        expect(text).not.toContain('dd-canary');
        const told = JSON.parse(text) as Record<string, unknown>;
        if (told.redelivered !== undefined) expect(told.redelivered).toBeGreaterThan(0);
        const moved = { duration_ms: 0, redelivered: 1 };
        const kept = Object.fromEntries(Object.entries(moved).filter(([name]) => name in told));
        printed.push(shape(JSON.stringify({ ...told, ...kept }, null, 2)).replaceAll(/mst_[\w-]+/g, 'mst'));
        return told;
      };
      const body = file('stream.json', JSON.stringify(streamBody()));
      const { id } = await does(`stream create ${body} --project=${project}`);
      await delivered(id as string);
      const allowed = '--streams.allowed-networks=127.0.0.1 --streams.allow-http=true';
      await does(`stream test ${id} ${allowed}`);
      const place = file('destination.json', JSON.stringify(streamBody().destination));
      await does(`stream test --project=${project} --destination=${place} ${allowed}`);
      await does(`stream redeliver ${id} --from=2020-01-01T00:00:00Z`);
      await vi.waitFor(async () => expect(await waiting(id as string)).toHaveLength(0), 5000);
      const [newest] = await deliveries(id as string);
      await does(`stream redeliver ${id} --delivery=${newest!.id}`);
      const change = file('change.json', JSON.stringify({ subscriptions: [{ metric_type: 'project.metrics' }] }));
      await does(`stream set ${id} ${change} --status=disabled --name=yours`);
      await does(`stream get ${id}`);
      await does(`stream delete ${id}`);
      const wrong = file('wrong.json', JSON.stringify({ ...streamBody(), nonsense: 1 }));
      for (const [line, sentence] of [
        [`stream get ${id}`, 'There is no'],
        [`stream create ${wrong} --project=${project}`, 'nonsense: is not a field here'],
        [`stream redeliver ${streamId} --from=2020-01-01T00:00:00Z`, 'The stream is disabled; enable it first.'],
      ] as const) {
        await expect(weir(line)).rejects.toThrow(sentence);
      }
      await gateway.admin.projects.delete(project);
      lives.push(printed);
    }
    expect(lives[1]).toEqual(lives[0]);
  });

  it('signing keys and bans', async () => {
    for (const line of ['key rotate', 'key rotate --alg=EdDSA']) expect(await remote(line)).toContain('current');
    const rows = JSON.parse(await remote('key list --format=json')) as { kid: string; state: string }[];
    const next = rows.find(({ state }) => state === 'next')!;
    expect(await remote(`key retire ${next.kid}`)).not.toContain(next.kid);
    expect(JSON.parse(await remote(`ban lift ${scraper.clientId} --format=json`))).toEqual({
      client_id: scraper.clientId,
      lifted: 1,
    });
    expect(await remote('ban list')).toBe('Nobody is banned.\n');
  });
});

describe('through the server', () => {
  it('a refusal is its sentence', async () => {
    const reader = await gateway.client(null, ['read:projects']);
    const more = `See ${gateway.url}/docs/errors#not_found`;
    await expect(remote('project get none')).rejects.toThrow(new RegExp(`There is nothing of that id.* ${more}$`));
    await expect(remote('project create a --id=acme')).rejects.toThrow('There is a project "acme" already');
    await expect(remote('project create a', reader)).rejects.toThrow('The token needs the scope create:projects');
    const wrong = { ...operator, clientSecret: 'wrong' };
    await expect(remote('project list', wrong)).rejects.toThrow(
      /gave no token \(invalid_client: .*\)\. See .*\/docs\/errors#invalid_client$/,
    );
  });

  it('a list of many pages is whole', async () => {
    const many = Array.from({ length: 201 }, (_, i) => `m${i}`);
    await gateway.project('many', ...many);
    const rows = JSON.parse(await remote('endpoint list --project=many --format=json')) as { metrics_id: string }[];
    expect(rows.map(({ metrics_id }) => metrics_id)).toEqual(many);
  });

  it('a client of a project sees its own', async () => {
    const own = await gateway.client('acme', ['read:projects', 'read:audit']);
    expect(JSON.parse(await remote('project list --format=json', own))).toEqual([
      expect.objectContaining({ id: 'acme' }),
    ]);
  });

  it('no private key leaves the machine', async () => {
    const heard: string[] = [];
    const ear = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => heard.push(chunk.toString('utf8')));
      request.on('end', () => response.end(JSON.stringify({ issuer: 'http://a.example', access_token: 'a' })));
    });
    await new Promise<void>((listening) => ear.listen(0, '127.0.0.1', listening));
    const flags = remoteFlags();
    flags[0] = `--url=http://127.0.0.1:${(ear.address() as AddressInfo).port}`;
    const add = run(['client', 'key', 'add', 'weir_cid_a', keyFile('PRIVATE').path, ...flags]);
    await expect(add).rejects.toThrow(/private/i);
    ear.close();
    expect(heard.join('')).not.toContain('PRIVATE KEY');
  });

  it.each([
    ['http://weir.example', 'would send a secret in the clear'],
    ['http://127.0.0.1.example', 'would send a secret in the clear'],
    ['ftp://localhost', 'would send a secret in the clear'],
    ['weir', 'is not a URL'],
  ])('%s is refused before a secret is sent', async (url, sentence) => {
    const [, ...flags] = remoteFlags();
    await expect(run(['project', 'list', `--url=${url}`, ...flags])).rejects.toThrow(sentence);
  });

  it('a flag too few or too many is refused', async () => {
    await expect(run(['project', 'list', `--url=${gateway.url}`])).rejects.toThrow('--url needs --client-id');
    await expect(local('project list --client-id=a')).rejects.toThrow('go with --url');
  });
});
