import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sourceCommand } from '../../src/cli/source.js';
import { systemClock } from '../../src/domain/clock.js';
import { managementScopes } from '../../src/domain/scopes.js';
import { type Credentials, TestGateway } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';

let gateway: TestGateway;
let server: Recorder;
let operator: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot({ clock: systemClock, seams: { sourceTickMs: 5 } });
  server = await new Recorder().listen();
  server.answer = () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'jobs 1\n' });
  await gateway.project('acme', 'db1');
  operator = await gateway.client(null, [...managementScopes]);
});
afterAll(async () => {
  await gateway.stop();
  server.close();
});

function file(name: string, content: string): string {
  const path = join(gateway.folder, name);
  writeFileSync(path, content);
  return path;
}

const canary = 'source-canary';

/** What the command prints. */
async function run(on: readonly string[], ...args: string[]): Promise<Record<string, unknown>> {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await sourceCommand().parseAsync([...args, ...on, '--format=json'], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  expect(printed).not.toContain(canary);
  return JSON.parse(printed) as Record<string, unknown>;
}

const ways: [string, () => string[]][] = [
  ['on the store', () => [`--storage.path=${gateway.config.storage.path}`]],
  [
    'through a running server',
    () => [
      `--server=${gateway.url}`,
      `--client-id=${operator.clientId}`,
      `--client-secret-file=${file('operator', operator.clientSecret)}`,
    ],
  ],
];

describe.each(ways)('weir source, %s', (way, on) => {
  const name = way.replaceAll(' ', '-');

  it('creates, shows, changes, tests and deletes a source', async () => {
    const place = ['--project', 'acme', '--endpoint', 'db1', '--type', 'exporter', '--url', server.url];
    const auth = [
      '--auth',
      'basic',
      '--auth-username',
      'weir',
      '--auth-password-file',
      file('password', `${canary}\n`),
    ];
    const allowed =
      way === 'on the store' ? ['--sources.allowed-networks=127.0.0.0/8', '--sources.allow-http=true'] : [];
    expect(await run(on(), 'test', ...place, ...allowed)).toMatchObject({ pulled: true, series: 1, error: null });
    const made = await run(on(), 'create', name, ...place, ...auth, '--interval', '30s', '--label', `job="${name}"`);
    const id = made.id as string;
    expect(made).toMatchObject({ id: expect.stringMatching(/^src_/), project_id: 'acme', metrics_id: 'db1', name });
    await expect.poll(async () => (await gateway.admin.sources.get(id)).health).toBe('up');
    const password = Buffer.from(server.requests.at(-1)!.headers.authorization!.slice(6), 'base64').toString();
    expect(password).toBe(`weir:${canary}`);
    expect(await run(on(), 'get', id)).toMatchObject({
      url: `${server.url}/`,
      interval: '30s',
      timeout: '10s',
      stale_limit: '1m30s',
      labels: { job: name },
      auth: { type: 'basic', username: 'weir', password: '***' },
      health: { status: 'up' },
    });
    const listed = (await run(on(), 'list', '--project', 'acme')) as unknown as { id: string }[];
    expect(listed.map((each) => each.id)).toContain(id);
    const changed = await run(on(), 'set', id, '--interval', '1m', '--stale-limit', '5m', '--sample-limit', '7');
    expect(changed).toMatchObject({ interval: '1m', stale_limit: '5m', sample_limit: 7, url: `${server.url}/` });
    const rules = file(
      'rules.yml',
      'metric_relabel_configs:\n- {source_labels: [__name__], regex: jobs, action: drop}\n',
    );
    await run(on(), 'set', id, '--relabel-file', rules);
    expect(await run(on(), 'test', id, ...allowed)).toMatchObject({ pulled: true, series: 0 });
    expect(await run(on(), 'delete', id)).toEqual({ id, deleted: true });
    await expect(run(on(), 'get', id)).rejects.toThrow(/no such source|nothing of that id/);
  });

  it('takes matchers and a tenant for a TSDB, and says what is missing', async () => {
    const place = [
      '--project',
      'acme',
      '--endpoint',
      'db1',
      '--type',
      'promql',
      '--url',
      'https://mimir.example/prometheus',
    ];
    const matchers = ['--matcher', 'project="acme"', '--matcher', 'job=~"api|db.*"', '--tenant', 'vendor'];
    const { id } = await run(on(), 'create', `${name}-tsdb`, ...place, ...matchers, '--status', 'disabled');
    expect(await run(on(), 'get', id as string)).toMatchObject({
      matchers: ['project="acme"', 'job=~"api|db.*"'],
      tenant: 'vendor',
      tenant_header: 'X-Scope-OrgID',
      status: 'disabled',
      health: { status: 'pending' },
    });
    await expect(run(on(), 'create', 'x', ...place)).rejects.toThrow('needs a matcher');
    await expect(run(on(), 'create', 'x', '--project', 'acme')).rejects.toThrow('Give --project, --endpoint');
    await expect(run(on(), 'create', `${name}-tsdb`, ...place, ...matchers)).rejects.toThrow('already');
    await expect(run(on(), 'create', 'x', ...place, ...matchers, '--auth', 'bearer')).rejects.toThrow(
      '--auth-token-file',
    );
    await expect(run(on(), 'create', 'x', ...place.with(3, 'nothing'), ...matchers)).rejects.toThrow(
      /no endpoint|nothing of that id/,
    );
    await run(on(), 'delete', id as string);
  });

  it('takes away a tenant, labels and rules', async () => {
    const rules = file('drop.yml', 'metric_relabel_configs:\n- {source_labels: [__name__], regex: x, action: drop}\n');
    const place = ['--project', 'acme', '--endpoint', 'db1', '--type', 'promql', '--url', 'https://mimir.example'];
    const given = ['--matcher', 'project="acme"', '--tenant', 'vendor', '--label', 'job="a"', '--relabel-file', rules];
    const made = await run(on(), 'create', `${name}-bare`, ...place, ...given, '--status', 'disabled');
    const id = made.id as string;
    const had = { tenant: 'vendor', labels: { job: 'a' }, metric_relabel_configs: [expect.anything()] };
    expect(await run(on(), 'get', id)).toMatchObject(had);
    expect(await run(on(), 'set', id, '--interval', '1m')).toMatchObject(had);
    expect(await run(on(), 'set', id, '--no-tenant')).toMatchObject({ ...had, tenant: null });
    const relabelled = await run(on(), 'set', id, '--no-label', '--label', 'job="b"', '--label', 'zone="c"');
    expect(relabelled.labels).toEqual({ job: 'b', zone: 'c' });
    const bare = await run(on(), 'set', id, '--no-label', '--no-relabel-file');
    expect(bare).toMatchObject({ matchers: ['project="acme"'], tenant: null, metric_relabel_configs: [] });
    expect(bare.labels).toEqual({});
    await run(on(), 'delete', id);
  });

  it('refuses flags that would go unread', async () => {
    const place = ['--project', 'acme', '--endpoint', 'db1', '--type', 'exporter', '--url', server.url];
    const token = ['--auth-token-file', file('token', canary)];
    const stray = '--auth-token-file goes with --auth bearer; ';
    await expect(run(on(), 'create', 'x', ...place, ...token)).rejects.toThrow(`${stray}add --auth bearer.`);
    await expect(run(on(), 'create', 'x', ...place, ...token, '--auth', 'none')).rejects.toThrow(
      `${stray}not with --auth none.`,
    );
    const { id } = await run(on(), 'create', `${name}-stray`, ...place, '--status', 'disabled');
    await expect(run(on(), 'set', id as string, '--oauth2-scope', 'all')).rejects.toThrow(
      '--oauth2-scope goes with --auth oauth2; add --auth oauth2.',
    );
    for (const flags of [['--relabel-file', 'rules.yml'], ['--label', 'job="x"'], place.slice(0, 2)]) {
      await expect(run(on(), 'test', id as string, ...flags)).rejects.toThrow(`leave out ${flags[0]}, or the id`);
    }
    await run(on(), 'delete', id as string);
  });
});

it('has no other flag for the server than --server: --url is what is asked', async () => {
  const secret = file('operator', operator.clientSecret);
  const flags = [`--client-id=${operator.clientId}`, `--client-secret-file=${secret}`];
  await expect(run(flags, 'list')).rejects.toThrow('go with --server');
});
