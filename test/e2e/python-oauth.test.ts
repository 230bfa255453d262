import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Programs, pythonProgram } from '../support/programs.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let producer: CreatedClient;
let scraper: CreatedClient & { readonly private_key: string };

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  producer = await weir.createClient('acme', 'write:metrics');
  await weir.push('acme/db1/metrics/job/app', 'orders_total{city="Malmö"} 42\n', await weir.bearer(producer));

  const created = await weir.createClient('acme', 'read:metrics');
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicFile = join(programs.folder, 'client.pem');
  writeFileSync(publicFile, publicKey.export({ type: 'spki', format: 'pem' }));
  await weir.command('client', 'key', 'add', created.client_id, publicFile);
  scraper = { ...created, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
});

type Answer =
  | { readonly refused: string }
  | {
      readonly version: string;
      readonly token: Record<string, unknown>;
      readonly status: number;
      readonly page: string;
    };

async function run(library: string, way: string, given: object): Promise<Answer> {
  const script = fileURLToPath(new URL('oauth_client.py', import.meta.url));
  const input = JSON.stringify({ ...given, page_url: `${weir.url}/api/v1/acme/db1/metrics` });
  const python = pythonProgram('requests_oauthlib', 'authlib');
  const { status, stdout, stderr } = await programs.run(python, [script, library, way], { input });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answer;
}

describe.each([
  ['requests-oauthlib', 'client_secret_basic'],
  ['requests-oauthlib', 'client_secret_post'],
  ['authlib', 'client_secret_basic'],
  ['authlib', 'client_secret_post'],
  ['authlib', 'private_key_jwt'],
])('%s by %s', (library, way) => {
  it('gets a token and scrapes with it', async () => {
    expect(await run(library, way, scraper)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+/),
      token: { token_type: 'Bearer', expires_in: 900, access_token: expect.any(String) },
      status: 200,
      page: expect.stringContaining('\norders_total{city="Malmö",instance_id="db1",job="app"} 42\n'),
    });
  });

  it('tells its user why it gets none', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const { refused } = (await run(library, way, {
      ...scraper,
      client_secret: producer.client_secret,
      private_key,
    })) as { refused: string };
    expect(refused).toMatch(/^\(?invalid_client\)?:? /);
    const says = way === 'private_key_jwt' ? /not signed with a key of this client/ : /secret/;
    expect(refused).toMatch(says);
  });
});
