import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, Programs } from '../support/programs.js';
import { WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

interface Credentials extends Record<string, string> {
  readonly CLIENT_ID: string;
  readonly CLIENT_SECRET: string;
}

let weir: WeirProcess;
/** The commands under "One screen of curl", each as it stands there, without the one that starts the server. */
let lines: string[];
let producer: Credentials;
let scraper: Credentials;

beforeAll(async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const block = /## One screen of curl\n\n```sh\n([^`]*)```/.exec(readme)![1]!;
  lines = block
    .split(/(?<![\\|])\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('npx weir serve &'));
  weir = await WeirProcess.start(programs);
});

/** Runs the only line of the README in which the word stands; what is wrong with it shows in the failure. */
async function readmeLine(word: string | RegExp, env?: Credentials, then = ''): Promise<string> {
  const found = lines.filter((line) => (typeof word === 'string' ? line.includes(word) : word.test(line)));
  expect(found, `lines with ${word} among\n${lines.join('\n')}`).toHaveLength(1);
  return succeeded(await weir.paste(`set -e -o pipefail\n${found[0]}\n${then}`, env));
}

function succeeded({ status, stdout, stderr }: Finished): string {
  if (status !== 0) throw new Error(`status ${status}: ${stdout}${stderr}`);
  return stdout;
}

/** Whatever the table looks like, id and secret are words of their own in it. */
function credentialsIn(printed: string): Credentials {
  const word = (start: string): string => printed.split(/\s+/).find((each) => each.startsWith(start))!;
  return { CLIENT_ID: word('weir_cid_'), CLIENT_SECRET: word('weir_cs_') };
}

const tokenOf = async (credentials: Credentials): Promise<string> =>
  (await readmeLine('TOKEN=$(curl', credentials, 'echo "$TOKEN"')).trim();

describe('the curl lines of the README, as they are', () => {
  it('make a project, an endpoint and two clients', async () => {
    await readmeLine('npx weir project create');
    await readmeLine('npx weir endpoint create');
    producer = credentialsIn(await readmeLine('--scope write:metrics'));
    scraper = credentialsIn(await readmeLine('--scope read:metrics'));
  });

  it('push with the token of the one and scrape with the token of the other', async () => {
    const pushed = { ...producer, TOKEN: await tokenOf(producer) };
    expect(pushed.TOKEN).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    await readmeLine('curl -X PUT', pushed);
    const scrape = { ...scraper, TOKEN: await tokenOf(scraper) };
    const sample = 'orders_total{region="eu",instance_id="db1",job="shop"} 42\n';
    expect(await readmeLine(/acme\/db1\/metrics$/, scrape)).toContain(sample);
    expect(await readmeLine(/acme\/metrics$/, scrape)).toContain(sample);
  });
});

describe('the lines of docs/api.md, as they are', () => {
  it('lead from an operator token to a scrape, and to a command through the server', async () => {
    const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/```sh\n([^`]*)```/g)].map(([, block]) => block);
    expect(blocks).toHaveLength(3);
    const printed = succeeded(await weir.paste(`set -e -o pipefail\n${blocks.join('\n')}`));
    expect(printed).toContain('"id":"acme-api"');
    expect(printed).toContain('/api/v1/acme-api/db1/metrics"');
    expect(printed).toContain('weir_snapshot_timestamp_seconds{instance_id="db1"}');
    expect(printed).toMatch(/^acme-api +Acme /m);
  });
});

describe('curl', () => {
  const ways = [
    ['Basic', '-u "$CLIENT_ID:$CLIENT_SECRET"'],
    ['a form body', '-d client_id="$CLIENT_ID" -d client_secret="$CLIENT_SECRET"'],
    ['a form body, encoded', '--data-urlencode client_id="$CLIENT_ID" --data-urlencode client_secret="$CLIENT_SECRET"'],
  ] as const;
  const shown = '-w "\\n%{http_code} %header{www-authenticate}"';
  const line = (options: string): string =>
    `curl -sS ${shown} ${options} -d grant_type=client_credentials http://127.0.0.1:8460/oauth/token`;

  it.each(ways)('gets a token by %s, and with a wrong secret a reason', async (_, options) => {
    const [answer, , status] = succeeded(await weir.paste(line(options), scraper)).split('\n');
    expect(JSON.parse(answer!)).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'read:metrics' });
    expect(status).toBe('200 ');

    const wrong = { ...scraper, CLIENT_SECRET: producer.CLIENT_SECRET };
    const [reason, , refused] = succeeded(await weir.paste(line(options), wrong)).split('\n');
    expect(JSON.parse(reason!)).toMatchObject({ error: 'invalid_client', error_description: expect.any(String) });
    expect(refused).toMatch(/^401 Basic realm=/);
  });
});
