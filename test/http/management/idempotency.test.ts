import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { managementScopes } from '../../../src/domain/scopes.js';
import { TestGateway } from '../../support/gateway.js';
import { type ApiAnswer, api } from './api.js';

let gateway: TestGateway;
let operator: string;

beforeAll(async () => {
  gateway = await TestGateway.boot();
  operator = await gateway.bearer(null, [...managementScopes]);
});
afterAll(() => gateway.stop());

const create = (name: string, key: string, bearer = operator): Promise<ApiAnswer> =>
  api(gateway, bearer, 'POST /projects', { body: { name }, headers: { 'idempotency-key': key } });
const named = async (name: string) => (await gateway.admin.projects.list()).filter((each) => each.name === name);

it('ten requests that meet do one thing', async () => {
  // It takes more than one turn: all of them look for an earlier one before the first has done anything.
  const rotate = () =>
    api(gateway, operator, 'POST /signing-keys/rotate', { headers: { 'idempotency-key': 'meeting' } });
  const answers = await Promise.all(Array.from({ length: 10 }, rotate));
  expect(await gateway.admin.audit.list({ action: 'key.rotate', limit: 10 })).toHaveLength(1);
  for (const { status, headers } of answers.filter((answer) => answer.status !== 200)) {
    expect([status, headers.get('retry-after')]).toEqual([409, '1']);
  }
  const done = answers.filter(({ status }) => status === 200).map(({ body }) => JSON.stringify(body));
  expect(new Set(done).size).toBe(1);
});

it('the answer outlives a restart, and ends after 24 hours', async () => {
  const first = await create('day', 'day');
  await gateway.restart();
  expect((await create('day', '"day"')).body).toEqual(first.body);
  gateway.clock.advance(24 * 3_600_000 + 1);
  operator = await gateway.bearer(null, [...managementScopes]);
  const kept = await create('day', 'day');
  expect(kept.status).toBe(201);
  expect(await named('day')).toHaveLength(2);
});

it('one client knows nothing of the keys of another', async () => {
  await create('theirs', 'shared');
  const answer = await create('ours', 'shared', await gateway.bearer(null, ['create:projects']));
  expect([answer.status, answer.body.name]).toEqual([201, 'ours']);
});

it('the key of a request that was refused can be used again', async () => {
  expect((await create('', 'refused')).status).toBe(400);
  const taken = { name: 'taken', id: 'taken' };
  const ask = (body: object) =>
    api(gateway, operator, 'POST /projects', { body, headers: { 'idempotency-key': 'refused' } });
  expect((await ask(taken)).status).toBe(201);
  expect((await create('taken', 'other-key')).status).toBe(201);
  const conflict = () =>
    api(gateway, operator, 'POST /projects', { body: taken, headers: { 'idempotency-key': 'conflict' } });
  expect((await conflict()).status).toBe(409);
  await gateway.admin.projects.delete('taken');
  expect((await conflict()).status).toBe(201);
});

it('what was done is answered as done, also when its answer cannot be kept', async () => {
  const database = new Sqlite(gateway.config.storage.path);
  database.exec("CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_key BEGIN SELECT RAISE(ABORT, 'no'); END");
  const first = await create('unkept', 'unkept');
  database.exec('DROP TRIGGER refuse');
  database.close();
  expect(first.status).toBe(201);
  const second = await create('unkept', 'unkept');
  expect([second.status, second.body.detail]).toEqual([409, expect.stringContaining(`project:${first.body.id}`)]);
  expect(await named('unkept')).toHaveLength(1);
  expect(gateway.logs.some(({ msg }) => msg === 'the answer under an idempotency key was not kept')).toBe(true);
});

it('two updates that start from the same version: the second is told', async () => {
  await gateway.project('raced');
  const { headers } = await api(gateway, operator, 'GET /projects/raced');
  const rename = (name: string) =>
    api(gateway, operator, 'PATCH /projects/raced', { body: { name }, headers: { 'if-match': headers.get('etag')! } });
  const answers = await Promise.all(['one', 'two', 'three'].map(rename));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
  expect((await gateway.admin.projects.get('raced')).name).toBe(
    answers.find(({ status }) => status === 200)!.body.name,
  );
});

it('a limit goes back to the configuration by null', async () => {
  await gateway.project('limited');
  const set = async (limits: object) =>
    (await api(gateway, operator, 'PATCH /projects/limited', { body: { limits } })).body;
  expect((await set({ series: 7, samples_per_second: 0 })).limits).toEqual({ series: 7, samples_per_second: 0 });
  expect((await set({ series: null })).limits).toEqual({ samples_per_second: 0 });
});
