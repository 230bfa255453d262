import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkCommand } from '../../src/cli/check.js';
import { clientCommand } from '../../src/cli/client.js';
import { demoCommand } from '../../src/cli/demo.js';
import { endpointCommand } from '../../src/cli/endpoint.js';
import { projectCommand } from '../../src/cli/project.js';
import { serveCommand } from '../../src/cli/serve.js';
import { sourceCommand } from '../../src/cli/source.js';
import { tokenCommand } from '../../src/cli/token.js';
import { limitNames } from '../../src/domain/limits.js';
import { basic, TestGateway } from '../support/gateway.js';

/** The commands in this process, a tenth of the time of one of their own; `test/e2e/command-line.test.ts` has the program as it is. */
const nouns: Record<string, () => Command> = {
  project: projectCommand,
  endpoint: endpointCommand,
  client: clientCommand,
};

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1');
});
afterAll(() => gateway.stop());

/** What the command prints; works on the store of the running gateway. */
async function run(line: string, storagePath = gateway.config.storage.path): Promise<string> {
  const [noun, ...args] = line.split(' ');
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await nouns[noun!]!().parseAsync([...args, `--storage.path=${storagePath}`], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return printed;
}

type Row = Record<string, string>;
const json = async <T = Row>(line: string): Promise<T> => JSON.parse(await run(`${line} --format=json`)) as T;

const page = async (path: string, bearer: string): Promise<number> => {
  const response = await gateway.fetch(`/api/v1/${path}`, { bearer });
  await response.text();
  return response.status;
};

describe('what scripts rely on', () => {
  it('project create prints exactly id, name, created_at', async () => {
    const made = await json('project create Acme --id=own-id');
    expect(Object.keys(made)).toEqual(['id', 'name', 'created_at']);
    expect(made).toMatchObject({ id: 'own-id', name: 'Acme' });
    expect(new Date(made.created_at!).toISOString()).toBe(made.created_at);
    expect((await json('project create Other')).id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it('endpoint create prints exactly project_id, metrics_id, name, url', async () => {
    const made = await json('endpoint create db --project=acme');
    expect(Object.keys(made)).toEqual(['project_id', 'metrics_id', 'name', 'url']);
    expect(made.metrics_id).toMatch(/^[0-9a-f]{8}$/);
    // Where the running server said it is.
    expect(made.url).toBe(`${gateway.url}/api/v1/acme/${made.metrics_id}/metrics`);
    const named = await json('endpoint create db --project=acme --metrics-id=db2 --web.external-url=https://m.example');
    expect(named.url).toBe('https://m.example/api/v1/acme/db2/metrics');
  });

  it('client create prints exactly client_id, client_secret, project_id, scope, token_url', async () => {
    const made = await json('client create c --project=acme --scope=write:metrics --scope=read:metrics');
    expect(Object.keys(made)).toEqual(['client_id', 'client_secret', 'project_id', 'scope', 'token_url']);
    expect(made).toMatchObject({
      client_id: expect.stringMatching(/^weir_cid_[A-Za-z0-9_-]{22}$/),
      client_secret: expect.stringMatching(/^weir_cs_[A-Za-z0-9_-]{43}$/),
      project_id: 'acme',
      scope: 'read:metrics write:metrics',
      token_url: `${gateway.url}/oauth/token`,
    });
  });

  it('an operator client has no project', async () => {
    const made = await json('client create console --operator --scope=read:projects,create:projects');
    expect(made).toMatchObject({ project_id: null, scope: 'read:projects create:projects' });
    expect(await run('client list')).toContain(made.client_id);
    expect(await run('client list --project=acme')).not.toContain(made.client_id);
  });

  it('client list prints no secret, in neither format', async () => {
    const { client_id, client_secret } = await json('client create c --project=acme --scope=read:metrics');
    for (const format of ['json', 'table']) {
      const printed = await run(`client list --project=acme --format=${format}`);
      expect(printed).toContain(client_id);
      expect(printed).not.toContain(client_secret!.slice('weir_cs_'.length));
      expect(printed).not.toContain('weir_cs_');
    }
  });

  it('a table is for people, and an empty one says what to do', async () => {
    const empty = join(gateway.folder, 'empty.db');
    expect(await run('project list', empty)).toBe(
      'There are no projects; create one with "weir project create NAME".\n',
    );
    expect(await run('project list --format=json', empty)).toBe('[]\n');
    const [header, ...rows] = (await run('endpoint list --project=acme')).split('\n');
    expect(header).toMatch(/^PROJECT_ID +METRICS_ID +NAME +URL$/);
    expect(rows.find((row) => row.includes('db1'))).toMatch(/^acme +db1 +db1 +http/);
  });

  it('settings are shown as they are typed', async () => {
    await json('endpoint create e --project=acme --metrics-id=e1 --lifetime=1h30m --timestamps=on');
    expect(await json('endpoint get e1 --project=acme')).toMatchObject({ lifetime: '1h30m', timestamps: 'on' });
    const set = await json('endpoint set e1 --project=acme --lifetime=0 --timestamps=off --name=renamed');
    expect(set).toMatchObject({ name: 'renamed', lifetime: '0', timestamps: 'off', metadata: '' });
    const noted = await json('endpoint set e1 --project=acme --metadata=team=payments --metadata=where=a=b');
    expect(noted.metadata).toBe('team=payments where=a=b');
    expect((await json('endpoint set e1 --project=acme --no-metadata')).metadata).toBe('');
    const rules = join(gateway.folder, 'rules.yml');
    writeFileSync(rules, 'metric_relabel_configs:\n  - { regex: pod, action: labeldrop }\n');
    const dropping = '--dropped-metric=a --dropped-metric=b --dropped-label=c';
    const ruled = await json(`endpoint set e1 --project=acme --relabel-file=${rules} ${dropping}`);
    expect(ruled).toMatchObject({ dropped_metrics: ['a', 'b'], relabel_rules: 1, dropped_labels: ['c'] });
    const left_out = { rule: 0, duplicate: 0, invalid: 0 };
    const preview = await json(`endpoint preview acme e1 --relabel-file=${rules}`);
    expect(preview).toMatchObject({ series: 0, changed: 0, left_out, page: expect.stringContaining('weir_snapshot') });
    for (const place of ['acme e1', 'e1 --project=acme']) {
      expect(await run(`endpoint preview ${place}`)).toContain('\n# 0 series; 0 changed; 0 dropped');
    }
    for (const place of ['e1', 'acme e1 --project=acme', 'acme e1 e2']) {
      await expect(run(`endpoint preview ${place}`)).rejects.toThrow('Give one endpoint, and --project.');
    }
    const none = '--no-relabel-file --no-dropped-metric --no-dropped-label';
    expect(await json(`endpoint set e1 --project=acme ${none}`)).toMatchObject({
      dropped_metrics: [],
      relabel_rules: 0,
      dropped_labels: [],
    });
    const limited = await json('endpoint set e1 --project=acme --limit series=9 --limit samples_per_second=5');
    expect(limited.limits).toEqual({ series: 9, samples_per_second: 5 });
    expect((await json('endpoint set e1 --project=acme --limit series=0')).limits).toEqual({ samples_per_second: 5 });
    expect((await json('endpoint set e1 --project=acme --no-limit')).limits).toEqual({});
    expect((await json('endpoint create l --project=acme --limit series=3')).metrics_id).toMatch(/^[0-9a-f]{8}$/);
    const limits = await json(
      'project set acme --limit series=7 --limit samples_per_second=0 --limit scrapes_per_minute=60 --limit token_requests_per_minute=6',
    );
    expect(limits).toMatchObject({
      id: 'acme',
      limits: { series: 7, samples_per_second: 0, scrapes_per_minute: 60, token_requests_per_minute: 6 },
    });
    expect(await json('project get acme')).toEqual(limits);
  });
});

describe('beside a running server', () => {
  const token = async ({ client_id, client_secret }: Row): Promise<Response> =>
    gateway.token({ grant_type: 'client_credentials' }, basic(client_id!, client_secret!));
  const bearer = async (client: Row): Promise<string> =>
    `Bearer ${((await (await token(client)).json()) as { access_token: string }).access_token}`;

  it('what a command grants works in the next request', async () => {
    await json('project create Grants --id=grants');
    const client = await json('client create c --project=grants --scope=read:metrics');
    const header = await bearer(client);
    expect(await page('grants/later/metrics', header)).toBe(404);
    await json('endpoint create later --project=grants --metrics-id=later');
    expect(await page('grants/later/metrics', header)).toBe(200);
  });

  it('a limit of an endpoint holds for the next push, and is told by the report', async () => {
    await json('project create Limits --id=limits');
    await json('endpoint create e1 --project=limits --metrics-id=e1 --lifetime=0');
    const producer = await gateway.bearer('limits');
    const push = async (body: string): Promise<number> =>
      (await gateway.fetch('/api/v1/limits/e1/metrics', { method: 'PUT', body, bearer: producer })).status;
    expect(await push('a 1\nb 1\n')).toBe(200);
    await json('endpoint set e1 --project=limits --limit series=2');
    expect(await push('a 1\nb 1\nc 1\n')).toBe(422);
    expect(await json('project cardinality limits --by=endpoint')).toEqual([
      { metrics_id: 'e1', series: 2, limits: { series: 2 } },
    ]);
    const [event] = await gateway.admin.audit.list({ projectId: 'limits', limit: 1 });
    expect(event).toMatchObject({ action: 'endpoint.set', object: 'endpoint:limits/e1' });
    await json('endpoint set e1 --project=limits --no-limit');
    expect(await push('a 1\nb 1\nc 1\n')).toBe(200);
  });

  it('what it takes away bites within a second', async () => {
    await json('project create Takes --id=takes');
    await json('endpoint create e1 --project=takes --metrics-id=e1');
    await json('endpoint create e2 --project=takes --metrics-id=e2');
    const client = await json('client create c --project=takes --scope=read:metrics');
    const header = await bearer(client);
    const soon = (path: string, status: number) =>
      expect.poll(() => page(path, header), { timeout: 1000, interval: 20 }).toBe(status);
    expect(await page('takes/e1/metrics', header)).toBe(200);
    expect(await page('takes/e2/metrics', header)).toBe(200);
    await json('endpoint delete e1 --project=takes');
    await soon('takes/e1/metrics', 404);
    expect(await json(`client disable ${client.client_id}`)).toMatchObject({ status: 'disabled' });
    await soon('takes/e2/metrics', 401);
    expect((await token(client)).status).toBe(401);
    expect(await json(`client enable ${client.client_id}`)).toMatchObject({ status: 'enabled' });
    expect(await page('takes/e2/metrics', header)).toBe(200);
    expect(await json('project delete takes')).toEqual({ id: 'takes', deleted: true });
    await soon('takes/e2/metrics', 401);
  });

  it('an endpoint that is made again has nothing of the one before', async () => {
    await json('project create Again --id=again');
    await json('endpoint create e --project=again --metrics-id=e');
    const header = await bearer(
      await json('client create c --project=again --scope=read:metrics --scope=write:metrics'),
    );
    await gateway.push('again/e/metrics', 'old 1\n', header);
    expect(await gateway.page('again/e/metrics', header)).toContain('old{');
    await json('endpoint delete e --project=again');
    await json('endpoint create e --project=again --metrics-id=e');
    await expect
      .poll(() => gateway.page('again/e/metrics', header), { timeout: 1000, interval: 20 })
      .not.toContain('old{');
  });
});

describe('the files beside the database', () => {
  it('are for their owner alone, and the database holds no secret', async () => {
    const path = join(gateway.folder, 'new.db');
    await run('project create Acme --id=acme', path);
    const { client_secret } = JSON.parse(
      await run('client create c --project=acme --scope=read:metrics --format=json', path),
    ) as Row;
    for (const file of [path, `${path}.pepper`]) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
    for (const file of [path, `${path}-wal`].filter(existsSync)) {
      expect(readFileSync(file).includes(client_secret!.slice('weir_cs_'.length))).toBe(false);
    }
  });
});

describe('a refusal', () => {
  it.each([
    ['project create Again --id=acme', 'There is a project "acme" already; choose another --id.'],
    ['project create Bad --id=a/b', 'The project id "a/b" must be 1 to 64 of A-Z, a-z, 0-9, "_" and "-".'],
    ['project get none', 'There is no project "none"'],
    ['project delete none', 'There is no project "none"'],
    [
      'project set acme --limit serie=5',
      '"serie=5" is no limit; write NAME=VALUE with a NAME of body_compressed_bytes',
    ],
    ['project set acme --limit series=-5', 'needs a whole number'],
    ['endpoint create e --project=none', 'There is no project "none"'],
    ['endpoint create e --project=acme --metrics-id=db1', 'has an endpoint "db1" already'],
    ['endpoint create e --project=acme --metrics-id=metrics', 'is taken by the project page'],
    ['endpoint create e --project=acme --lifetime=5', '"5" is not a duration'],
    ['endpoint create e --project=acme --lifetime=1ms', 'The lifetime must be 1s to 366d'],
    ['endpoint set db1 --project=acme', 'Nothing to set'],
    [
      'endpoint set db1 --project=acme --limit streams=1',
      '"streams=1" is no limit; write NAME=VALUE with a NAME of body_',
    ],
    ['endpoint set db1 --project=acme --limit series=x', 'The limit series needs a whole number'],
    ['endpoint get none --project=acme', 'There is no endpoint "none" in project "acme"'],
    ['endpoint list --project=none', 'There is no project "none"'],
    ['client create c --project=none --scope=read:metrics', 'There is no project "none"'],
    [
      'client create c --project=acme --scope=admin',
      '"admin" is unknown; there are read:metrics, write:metrics, read:',
    ],
    [
      'client create c --scope=read:metrics',
      'A client needs either --project, for one of that project, or --operator.',
    ],
    ['client create c --project=acme --operator --scope=read:projects', 'A client needs either --project'],
    ['client create c --operator --scope=read:metrics', 'An operator client cannot have the scope "read:metrics"'],
    ['client create c --project=acme --scope=read:bans', 'A project\'s client cannot have the scope "read:bans"'],
    ['client create c --project=acme --scope=read:metrics --endpoint=none', 'There is no endpoint "none" in project'],
    ['client disable weir_cid_none', 'There is no client "weir_cid_none"; "weir client list" shows those there are.'],
    ['client delete weir_cid_none', 'There is no client "weir_cid_none"'],
  ])('of %o says what to do', async (line, sentence) => {
    await expect(run(line)).rejects.toThrow(sentence);
  });
});

describe('help', () => {
  it('says something of every command and every flag', () => {
    const top = [serveCommand, demoCommand, projectCommand, endpointCommand, clientCommand, tokenCommand, checkCommand];
    const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
    const silent = top
      .flatMap((make) => all(make()))
      .flatMap((command) => [
        ...(command.description() === '' ? [command.name()] : []),
        ...command.options.filter(({ description }) => !description).map(({ flags }) => `${command.name()} ${flags}`),
      ]);
    expect(silent).toEqual([]);
  });

  const helpOf = (command: Command, verb?: string): string => {
    let said = '';
    const asked = verb === undefined ? command : command.commands.find((each) => each.name() === verb)!;
    const writeOut = (text: string): void => {
      said += text;
    };
    asked.configureOutput({ writeOut }).outputHelp();
    return said.replace(/\s+/g, ' ');
  };

  it('of a setting names its default, unless that is empty', () => {
    const help = helpOf(serveCommand());
    expect(help).toContain('with commas between. [WEIR_SOURCES_ALLOWED_NETWORKS]');
    expect(help).toContain('Default false. [WEIR_SOURCES_ALLOW_HTTP]');
  });

  it('says what a source needs, what limits there are and what an operator client may do', () => {
    const source = helpOf(sourceCommand(), 'create');
    expect(source).toContain('Required: --project, --endpoint, --type and --url;');
    for (const part of ['label="value"', '--sources.allow-http', '--sources.allowed-networks']) {
      expect(source).toContain(part);
    }
    expect(helpOf(projectCommand(), 'set')).toContain(`Names: ${limitNames.join(', ')}.`);
    expect(helpOf(clientCommand(), 'create')).toContain('with --scope write:metrics it may write for all customers');
  });
});
