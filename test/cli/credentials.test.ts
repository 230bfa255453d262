import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import Database from 'better-sqlite3';
import type { Command } from 'commander';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { auditCommand } from '../../src/cli/audit.js';
import { clientCommand } from '../../src/cli/client.js';
import { encryptionCommand } from '../../src/cli/encryption.js';
import { keyCommand } from '../../src/cli/key.js';
import { systemClock } from '../../src/domain/clock.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

/** The commands in this process, on the store of a gateway that runs; both by the clock of the machine. */
const nouns: Record<string, () => Command> = {
  client: clientCommand,
  key: keyCommand,
  encryption: encryptionCommand,
  audit: auditCommand,
};

let gateway: TestGateway;
let client: Credentials;
let project: string;
let count = 0;

beforeAll(async () => {
  gateway = await TestGateway.boot({ clock: systemClock });
});
afterAll(() => gateway.stop());
beforeEach(async () => {
  project = `acme-${++count}`;
  await gateway.project(project, 'db1');
  client = await gateway.client(project, ['read:metrics']);
});

async function run(line: string): Promise<string> {
  const [noun, ...args] = line.trim().split(/ +/);
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const path = gateway.config.storage.path;
    await nouns[noun!]!().parseAsync([...args, `--storage.path=${path}`], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return printed;
}

type Row = Record<string, string | null>;
const json = async <T = Row>(line: string): Promise<T> => JSON.parse(await run(`${line} --format=json`)) as T;

const soon = { timeout: 1000, interval: 20 };
const seconds = { timeout: 5000, interval: 100 };
const hour = 3_600_000;

const asked = async (...secrets: string[]): Promise<number[]> => {
  const statuses = [];
  for (const secret of secrets) {
    const form = { grant_type: 'client_credentials' };
    const response = await gateway.token(form, basic(client.clientId, secret));
    await response.text();
    statuses.push(response.status);
  }
  return statuses;
};
const scrape = async (bearer: string): Promise<number> => {
  const response = await gateway.fetch(`/api/v1/${project}/db1/metrics`, { bearer });
  await response.text();
  return response.status;
};

describe('client rotate', () => {
  it('prints exactly client_id, client_secret, previous_secret_expires_at; both secrets work, for 24 h', async () => {
    const from = Date.now();
    const made = await json(`client rotate ${client.clientId}`);
    expect(Object.keys(made)).toEqual(['client_id', 'client_secret', 'previous_secret_expires_at']);
    expect(made.client_id).toBe(client.clientId);
    const ends = Date.parse(made.previous_secret_expires_at!);
    expect(ends).toBeGreaterThanOrEqual(from + 24 * hour);
    expect(ends).toBeLessThanOrEqual(Date.now() + 24 * hour);
    expect(await asked(made.client_secret!, client.clientSecret)).toEqual([200, 200]);
  });

  it('takes an overlap, and without one ends the secret before but no token', async () => {
    const bearer = await gateway.bearerOf(client);
    const week = await json(`client rotate ${client.clientId} --overlap 7d`);
    expect(Date.parse(week.previous_secret_expires_at!) - Date.now()).toBeGreaterThan(7 * 24 * hour - 60_000);
    const none = await json(`client rotate ${client.clientId} --overlap 0`);
    await expect.poll(() => asked(client.clientSecret, week.client_secret!), soon).toEqual([401, 401]);
    expect([await asked(none.client_secret!), await scrape(bearer)]).toEqual([[200], 200]);
  });

  it.each([
    ['--overlap 8d', 'The overlap must be 0 to 7d.'],
    ['--overlap 5', '"5" is not a duration'],
  ])('%s is refused', async (flags, sentence) => {
    await expect(run(`client rotate ${client.clientId} ${flags}`)).rejects.toThrow(sentence);
    expect(await json<Row[]>(`client secret list ${client.clientId}`)).toHaveLength(1);
  });

  it('of an unknown client says what to do', async () => {
    await expect(run('client rotate weir_cid_none')).rejects.toThrow('There is no client "weir_cid_none"');
  });
});

describe('client secret', () => {
  it('list shows when, from where and with what each was used, and never a secret', async () => {
    const made = await json(`client rotate ${client.clientId}`);
    const agent = 'Prometheus/2.42.0';
    await fetch(`${gateway.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
      headers: { authorization: basic(client.clientId, client.clientSecret), 'user-agent': agent },
    });
    const list = (): Promise<Row[]> => json<Row[]>(`client secret list ${client.clientId}`);
    await expect.poll(async () => (await list())[1]!.last_used_agent, seconds).toBe(agent);
    const [newer, older] = await list();
    expect(older).toMatchObject({
      status: 'live',
      last_used_ip: '127.0.0.1',
      expires_at: made.previous_secret_expires_at,
    });
    expect(Date.now() - Date.parse(older!.last_used_at!)).toBeLessThan(60_000);
    expect(newer).toMatchObject({ status: 'live', last_used_at: null, last_used_ip: null, expires_at: null });
    for (const format of ['table', 'json']) {
      expect(await run(`client secret list ${client.clientId} --format=${format}`)).not.toContain('weir_cs_');
    }
  });

  it('revoke ends the secret and its tokens within a second, and not those of the other', async () => {
    const { client_secret } = await json(`client rotate ${client.clientId}`);
    const [dead, alive] = [
      await gateway.bearerOf(client),
      await gateway.bearerOf({ ...client, clientSecret: client_secret! }),
    ];
    expect([await scrape(dead), await scrape(alive)]).toEqual([200, 200]);
    const [, older] = await json<Row[]>(`client secret list ${client.clientId}`);
    await run(`client secret revoke ${client.clientId} ${older!.secret_id}`);
    await expect.poll(() => scrape(dead), soon).toBe(401);
    expect(await asked(client.clientSecret, client_secret!)).toEqual([401, 200]);
    expect(await scrape(alive)).toBe(200);
    const statuses = (await json<Row[]>(`client secret list ${client.clientId}`)).map(({ status }) => status);
    expect(statuses).toEqual(['live', 'revoked']);
  });
});

describe('client token', () => {
  it('create prints a token this once, which works at once; list shows its uses, and never a token', async () => {
    const made = await json(`client token create ${client.clientId} --expires 30d --name grafana`);
    expect(Object.keys(made)).toEqual(['client_id', 'token_id', 'token', 'expires_at']);
    expect(Math.abs(Date.parse(made.expires_at!) - Date.now() - 30 * 24 * hour)).toBeLessThan(60_000);
    expect(await scrape(`Bearer ${made.token}`)).toBe(200);
    const list = (): Promise<Row[]> => json<Row[]>(`client token list ${client.clientId}`);
    await expect.poll(async () => (await list())[0]!.last_used_ip, seconds).toBe('127.0.0.1');
    const [row] = await list();
    expect(row).toMatchObject({
      token_id: made.token_id,
      name: 'grafana',
      status: 'live',
      expires_at: made.expires_at,
    });
    expect(Date.now() - Date.parse(row!.last_used_at!)).toBeLessThan(60_000);
    for (const format of ['table', 'json']) {
      expect(await run(`client token list ${client.clientId} --format=${format}`)).not.toContain('weir_st_');
    }
  });

  it('create gives 90 days unless told otherwise, and refuses what is no duration', async () => {
    const made = await json(`client token create ${client.clientId}`);
    expect(Math.abs(Date.parse(made.expires_at!) - Date.now() - 90 * 24 * hour)).toBeLessThan(60_000);
    await expect(run(`client token create ${client.clientId} --expires soon`)).rejects.toThrow('is not a duration');
    await expect(run(`client token create ${client.clientId} --expires 2w3y`)).rejects.toThrow('is not a duration');
    await expect(run(`client token create ${client.clientId} --expires 0`)).rejects.toThrow('must live 1s to 366d');
    await expect(run('client token create weir_cid_none')).rejects.toThrow('There is no client "weir_cid_none"');
  });

  it('revoke ends one within a second', async () => {
    const [dead, alive] = [
      await json(`client token create ${client.clientId}`),
      await json(`client token create ${client.clientId}`),
    ];
    expect(await scrape(`Bearer ${dead.token}`)).toBe(200);
    await run(`client token revoke ${client.clientId} ${dead.token_id}`);
    await expect.poll(() => scrape(`Bearer ${dead.token}`), soon).toBe(401);
    expect(await scrape(`Bearer ${alive.token}`)).toBe(200);
    const again = run(`client token revoke ${client.clientId} ${dead.token_id}`);
    await expect(again).rejects.toThrow('has no scrape token');
  });
});

describe('client set --allow-basic', () => {
  it('on works at once, off bites within a second', async () => {
    const authorization = basic(client.clientId, client.clientSecret);
    expect(await json(`client set ${client.clientId} --allow-basic on`)).toMatchObject({ allow_basic: true });
    expect(await scrape(authorization)).toBe(200);
    expect(await json(`client set ${client.clientId} --allow-basic off`)).toMatchObject({ allow_basic: false });
    await expect.poll(() => scrape(authorization), soon).toBe(401);
    await expect(run(`client set ${client.clientId}`)).rejects.toThrow('Nothing to set');
  });

  it('is there at the creation, too, and off without it', async () => {
    const plain = await json(`client create c --project=${project} --scope=read:metrics`);
    const made = await json(`client create c --project=${project} --scope=read:metrics --allow-basic`);
    expect(await scrape(basic(made.client_id!, made.client_secret!))).toBe(200);
    expect(await scrape(basic(plain.client_id!, plain.client_secret!))).toBe(401);
  });
});

describe('client revoke-tokens', () => {
  it('ends all tokens within a second, and the secret goes on', async () => {
    const bearer = await gateway.bearerOf(client);
    expect(await scrape(bearer)).toBe(200);
    await run(`client revoke-tokens ${client.clientId}`);
    await expect.poll(() => scrape(bearer), soon).toBe(401);
    expect(await scrape(await gateway.bearerOf(client))).toBe(200);
  });
});

describe('key', () => {
  it('list prints exactly kid, alg, state, created_at, from the first start', async () => {
    const keys = await json<Row[]>('key list');
    for (const key of keys) {
      expect(Object.keys(key)).toEqual(['kid', 'alg', 'state', 'created_at']);
      expect(new Date(key.created_at!).toISOString()).toBe(key.created_at);
    }
    expect(keys.map(({ alg, state }) => `${alg} ${state}`).sort()).toEqual(['ES256 current', 'ES256 next']);
  });

  it('rotate and retire work within a second on the running gateway', async () => {
    const signedBy = async () => decodeProtectedHeader((await gateway.bearerOf(client)).slice('Bearer '.length));
    const { kid } = await signedBy();
    const old = await gateway.bearerOf(client);
    const rotated = await json<Row[]>('key rotate --alg EdDSA');
    expect(rotated.map(({ alg, state }) => `${alg} ${state}`).sort()).toEqual([
      'ES256 retired',
      'EdDSA current',
      'EdDSA next',
    ]);
    await expect.poll(async () => (await signedBy()).alg, soon).toBe('EdDSA');
    expect(await scrape(old)).toBe(200);
    const left = await json<Row[]>(`key retire ${kid}`);
    expect(left.map(({ kid: each }) => each)).not.toContain(kid);
    await expect.poll(() => scrape(old), soon).toBe(401);
    expect(await json('key list')).toEqual(left);
  });

  it('rotate warns when copies of the published keys may not have the key that signs now', async () => {
    const warnings: string[] = [];
    const warned = vi.spyOn(process.stderr, 'write').mockImplementation((text) => warnings.push(String(text)) > 0);
    const rotated = async (line: string): Promise<number> => {
      warnings.length = 0;
      await run(line);
      return warnings.length;
    };
    const store = new Database(gateway.config.storage.path);
    const publishedAgo = (ms: number) =>
      store.prepare('UPDATE signing_key SET created_at = ?').run(systemClock.now() - ms);
    try {
      publishedAgo(300_000);
      expect(await rotated('key rotate')).toBe(0);
      expect(await rotated('key rotate')).toBe(1);
      expect(warnings[0]).toMatch(/^weir: warning: The key that signs now was published \d s ago, .* 300 s old/);
      // As after the first start.
      publishedAgo(1000);
      expect(await rotated('key rotate')).toBe(0);
      publishedAgo(300_000);
      expect(await rotated('key rotate --alg RS256')).toBe(1);
    } finally {
      warned.mockRestore();
      store.close();
    }
  });

  it('of another algorithm, or one that is not there, is refused', async () => {
    await expect(run('key retire none')).rejects.toThrow('There is no signing key "none"');
    // Commander would end the process here.
    const rotate = keyCommand().commands.find((each) => each.name() === 'rotate')!;
    expect(rotate.options.find(({ long }) => long === '--alg')!.argChoices).toEqual(['ES256', 'EdDSA', 'RS256']);
  });
});

describe('encryption', () => {
  type Value = { value: string; row: string; key: string; line: number };

  it('check prints exactly value, row, key, line of every encrypted value', async () => {
    const values = await json<Value[]>('encryption check');
    expect(values.length).toBeGreaterThan(1);
    for (const each of values) {
      expect(Object.keys(each)).toEqual(['value', 'row', 'key', 'line']);
      expect(each).toMatchObject({ value: 'signing_key.private_jwk', line: 1, key: values[0]!.key });
    }
    expect(values[0]!.key).toMatch(/^[0-9a-f]{8}$/);
    const rows = (await json<{ kid: string }[]>('key list')).map(({ kid }) => kid);
    // Those that have ended are kept until the next rotation, and not listed.
    expect(values.map(({ row }) => row)).toEqual(expect.arrayContaining(rows));
  });

  it('rotate puts a new key first and encrypts everything with it, which the audit log names', async () => {
    const [before] = await json<Value[]>('encryption check');
    const rotated = await json<Record<string, unknown>>('encryption rotate');
    expect(Object.keys(rotated)).toEqual(['key', 'new_key', 'values', 'unused_keys']);
    const after = await json<Value[]>('encryption check');
    expect(rotated).toMatchObject({ new_key: true, values: after.length });
    expect(rotated.key).not.toBe(before!.key);
    for (const { key, line } of after) expect([key, line]).toEqual([rotated.key, 1]);
    const events = await json('audit list --limit 5');
    expect((events as unknown as Row[]).at(-1)).toMatchObject({
      actor: `cli:${userInfo().username}`,
      action: 'encryption.rotate',
      object: `encryption_key:${rotated.key}`,
    });
  });

  it('rotate leaves a file of the operator alone: it says what to write, and then takes that up', async () => {
    const file = gateway.config.secrets.encryptionKeysFile;
    const text = readFileSync(file, 'utf8');
    vi.stubEnv('WEIR_ENCRYPTION_KEYS_FILE', file);
    try {
      await expect(run('encryption rotate')).rejects.toThrow('Write a new key above the others');
      expect(readFileSync(file, 'utf8')).toBe(text);
      writeFileSync(file, `${Buffer.alloc(32, 5).toString('base64url')}\n${text}`);
      expect((await json<Value[]>('encryption check')).map(({ line }) => line)).not.toContain(1);
      expect(await json('encryption rotate')).toMatchObject({ new_key: false });
      expect(new Set((await json<Value[]>('encryption check')).map(({ line }) => line))).toEqual(new Set([1]));
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('check fails when a key is missing, names what cannot be read, and says what to do', async () => {
    const file = gateway.config.secrets.encryptionKeysFile;
    const text = readFileSync(file, 'utf8');
    const [value] = await json<Value[]>('encryption check');
    writeFileSync(file, `${Buffer.alloc(32, 6).toString('base64url')}\n`);
    try {
      await expect(run('encryption check')).rejects.toThrow(`signing_key.private_jwk of ${value!.row}`);
      await expect(run('encryption check')).rejects.toThrow('Put back the key it was encrypted with');
      await expect(run('encryption rotate')).rejects.toThrow('cannot be decrypted');
      expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(1);
    } finally {
      writeFileSync(file, text);
    }
    await json('encryption check');
  });
});

describe('audit list', () => {
  const cli = `cli:${userInfo().username}`;
  const events = (flags = `--project ${project}`): Promise<Row[]> => json<Row[]>(`audit list ${flags}`);

  it('has one event for each thing done to a client, with who, what, when and to which, oldest first', async () => {
    const { client_id: id } = await json(`client create c --project=${project} --scope=read:metrics`);
    await run(`client rotate ${id}`);
    const [, older] = await json<Row[]>(`client secret list ${id}`);
    await run(`client secret revoke ${id} ${older!.secret_id}`);
    await run(`client revoke-tokens ${id}`);
    const { token_id } = await json(`client token create ${id}`);
    await run(`client token revoke ${id} ${token_id}`);
    await run(`client set ${id} --allow-basic on`);
    await run(`client set ${id} --allow-basic off`);
    await run(`client disable ${id}`);
    await run(`client enable ${id}`);
    await run(`client delete ${id}`);
    const mine = (await events()).filter(({ object }) => object!.startsWith(`client:${id}`));
    const named = mine.filter(({ object }) => object === `client:${id}/${token_id}`);
    expect(named.map(({ action }) => action)).toEqual(['client.token.create', 'client.token.revoke']);
    for (const event of mine) {
      expect(Object.keys(event)).toEqual(['at', 'actor', 'action', 'object', 'ip']);
      expect(event).toMatchObject({ actor: cli, ip: null });
      expect(Math.abs(Date.now() - Date.parse(event.at!))).toBeLessThan(60_000);
    }
    expect(mine.map(({ action }) => action)).toEqual([
      'client.create',
      'client.rotate',
      'client.secret.revoke',
      'client.tokens.revoke',
      'client.token.create',
      'client.token.revoke',
      'client.basic.allow',
      'client.basic.forbid',
      'client.disable',
      'client.enable',
      'client.delete',
    ]);
  });

  it('tells a project of its own only, and a command that failed or only looked leaves nothing', async () => {
    const before = await events();
    expect(before.map(({ action }) => action)).toContain('client.create');
    await run(`client secret list ${client.clientId}`);
    await run('key list');
    await expect(run(`client secret revoke ${client.clientId} none`)).rejects.toThrow('has no secret');
    await gateway.project(`${project}-rival`);
    await gateway.client(`${project}-rival`, ['read:metrics']);
    expect(await events()).toEqual(before);
  });

  it('has a token that its client revoked once, however often it asked, with the client and its address', async () => {
    const token = (await gateway.bearerOf(client)).slice('Bearer '.length);
    for (let round = 0; round < 3; round++) {
      const response = await gateway.fetch('/oauth/revoke', {
        method: 'POST',
        body: new URLSearchParams({ token }),
        bearer: basic(client.clientId, client.clientSecret),
      });
      expect(response.status).toBe(200);
    }
    const revoked = (await events()).filter(({ action }) => action === 'client.token.revoke');
    expect(revoked).toEqual([
      {
        at: expect.any(String),
        actor: `client:${client.clientId}`,
        action: 'client.token.revoke',
        object: `client:${client.clientId}`,
        ip: '127.0.0.1',
      },
    ]);
  });

  it('has one event for each rotation and retirement of a key, and names the key', async () => {
    const keyEvents = async (): Promise<Row[]> => (await events('')).filter(({ action }) => action!.startsWith('key.'));
    const before = (await keyEvents()).length;
    const current = (await json<Row[]>('key rotate')).find(({ state }) => state === 'current')!;
    const next = (await json<Row[]>('key list')).find(({ state }) => state === 'next')!;
    await run(`key retire ${next.kid}`);
    await run(`key retire ${current.kid}`);
    expect((await keyEvents()).slice(before).map(({ actor, action, object }) => [actor, action, object])).toEqual([
      [cli, 'key.rotate', `key:${current.kid}`],
      [cli, 'key.retire', `key:${next.kid}`],
      [cli, 'key.retire', `key:${current.kid}`],
    ]);
  });

  it('prints the newest so many, and a JSON object a line for export', async () => {
    await run(`client disable ${client.clientId}`);
    await run(`client enable ${client.clientId}`);
    const all = await events();
    expect(await events(`--project ${project} --limit 2`)).toEqual(all.slice(-2));
    const lines = (await run(`audit list --project ${project} --json-lines`)).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as Row)).toEqual(all);
  });

  it('holds no secret, nor do the database files, the log or what else is printed', async () => {
    const made = await json(`client rotate ${client.clientId}`);
    const bearer = await gateway.bearerOf({ ...client, clientSecret: made.client_secret! });
    const canaries = [client.clientSecret, made.client_secret!, bearer.split('.').at(-1)!];
    const db = new Database(gateway.config.storage.path, { readonly: true });
    const audit = JSON.stringify(db.prepare('SELECT * FROM audit_event').all());
    db.close();
    const files = ['', '-wal'].map((ending) => `${gateway.config.storage.path}${ending}`).filter(existsSync);
    const texts = [
      audit,
      JSON.stringify(gateway.logs),
      await run('audit list'),
      ...files.map((file) => readFileSync(file, 'latin1')),
    ];
    expect(audit).toContain(client.clientId);
    for (const canary of canaries) {
      const bare = canary.replace(/^weir_cs_/, '');
      for (const text of texts) expect(text.includes(bare)).toBe(false);
    }
  });
});
