import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { snippetCommand } from '../../src/cli/snippet.js';
import { snippets } from '../../src/snippets/index.js';
import { type Credentials, TestGateway } from '../support/gateway.js';

let gateway: TestGateway;
let reader: Credentials;

beforeAll(async () => {
  gateway = await TestGateway.boot({ externalUrl: 'https://metrics.example.com' });
  await gateway.project('acme', 'db1', 'db2');
  reader = await gateway.client('acme', ['read:metrics']);
  await gateway.client('acme', ['write:metrics']);
});
afterAll(() => gateway.stop());

/** What the command writes to each of its two outputs; it works on the store beside the gateway. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  try {
    await snippetCommand().parseAsync([...args, `--storage.path=${gateway.config.storage.path}`], { from: 'user' });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return written;
}

const ofAcme = (...args: string[]) => run(...args, '--project=acme');

describe('weir snippet', () => {
  it('without a tool lists them all, and asks for no project', async () => {
    const { stdout } = await run('--format=json');
    expect(JSON.parse(stdout).map(({ tool }: { tool: string }) => tool)).toEqual(snippets.map(({ tool }) => tool));
    expect((await run()).stdout).toMatch(/^TOOL +TITLE +FILE +NEEDS\n/);
  });

  it('prints the very text that the gateway answers with', async () => {
    const bearer = await gateway.bearerOf(reader);
    for (const { tool } of snippets) {
      const response = await gateway.fetch(`/api/v1/acme/snippets/${tool}?endpoint=db2&interval=30s`, { bearer });
      const { stdout } = await ofAcme(tool, '--endpoint=db2', '--interval=30s');
      expect(stdout, tool).toBe(await response.text());
      expect(stdout, tool).not.toContain(reader.clientSecret);
    }
  });

  it('fills in what it is told', async () => {
    const args = [
      '--endpoint=db1',
      '--endpoint=db2',
      '--secret-file=/run/s e:c',
      '--ca-file=/ca.crt',
      '--interval=120',
    ];
    const { stdout, stderr } = await ofAcme('vmagent', ...args, `--client=${reader.clientId}`);
    const [job] = parse(stdout).scrape_configs;
    expect(job.static_configs).toHaveLength(2);
    expect(job.oauth2).toMatchObject({ client_secret_file: '/run/s e:c', tls_config: { ca_file: '/ca.crt' } });
    expect(job.scrape_interval).toBe('120s');
    expect(stderr).toBe('');
  });

  it('prints the text with what it is in JSON, too', async () => {
    const { stdout } = await ofAcme('curl', '--format=json');
    expect(JSON.parse(stdout)).toEqual({
      tool: 'curl',
      title: expect.any(String),
      file: 'weir.sh',
      text: (await ofAcme('curl')).stdout,
    });
  });

  it('says what will not work yet, beside the snippet', async () => {
    expect((await ofAcme('grafana-cloud')).stderr).toContain(`weir client set ${reader.clientId} --allow-basic on`);
    expect((await ofAcme('newrelic-otlp')).stderr).toContain('create:metric_streams');
    expect((await ofAcme('datadog', '--web.external-url=http://gateway.internal')).stderr).toContain('https alone');
    expect((await ofAcme('datadog')).stderr).toBe('');
    expect((await ofAcme('prometheus-jwt')).stderr).toContain('has no RSA key yet');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const [key] = await gateway.admin.clients.addKeys(reader.clientId, Buffer.from(pem));
    const { stdout, stderr } = await ofAcme('prometheus-jwt');
    expect(stderr).toBe('');
    expect(parse(stdout).scrape_configs[0].oauth2).toMatchObject({
      client_certificate_key_id: key!.kid,
      client_certificate_key_file: '/etc/weir/private-key.pem',
    });
  });

  it('takes no client that could not scrape with it, and chooses none of several', async () => {
    await expect(run('curl')).rejects.toThrow('Give --project ID.');
    await expect(run('curl', '--project=nowhere')).rejects.toThrow(/nowhere/);
    await expect(ofAcme('curl', '--endpoint=db9')).rejects.toThrow(/db9/);
    await expect(ofAcme('nagios')).rejects.toThrow('there are prometheus, ');
    await expect(ofAcme('curl', '--interval=5s')).rejects.toThrow('must be 30s, 60s, 120s');
    await expect(ofAcme('curl', '--client=weir_cid_x')).rejects.toThrow('has no client "weir_cid_x"');

    await gateway.project('many', 'db1', 'db2');
    await expect(run('curl', '--project=many')).rejects.toThrow('Nobody may scrape "many" yet');
    const writer = await gateway.client('many', ['write:metrics']);
    await expect(run('curl', '--project=many', `--client=${writer.clientId}`)).rejects.toThrow('lacks the scope');
    const narrowed = await gateway.client('many', ['read:metrics'], ['db2']);
    await expect(run('curl', '--project=many', '--endpoint=db1')).rejects.toThrow('narrowed to other endpoints');
    const other = await gateway.client('many', ['read:metrics']);
    const several = await run('curl', '--project=many').catch(({ message }) => message);
    expect(several).toMatch(/^Several clients may scrape "many"; choose one with --client: weir_cid_/);
    for (const { clientId } of [narrowed, other]) expect(several).toContain(`${clientId} (test)`);
  });
});

describe('the shell script for New Relic and the lines of curl', () => {
  it.each(['curl', 'newrelic-otlp'])('%s are what a shell reads without complaint', async (tool) => {
    const { stdout } = await ofAcme(tool, "--secret-file=/it's a $(path)");
    expect(execFileSync('sh', ['-n'], { input: stdout, encoding: 'utf8' })).toBe('');
  });
});
