import { renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type StoredSample, scrapeConfig } from '../support/prometheus-process.js';
import { type CreatedClient, WeirProcess } from '../support/weir-process.js';

const programs = new Programs();
afterAll(() => programs.end());

let weir: WeirProcess;
let client: CreatedClient;
let secretFile: string;
let prometheus: PrometheusProcess;
let startedAt: number;

beforeAll(async () => {
  weir = await WeirProcess.start(programs);
  await weir.createProject('acme', 'db1');
  const producer = await weir.createClient('acme', 'write:metrics');
  await weir.push('acme/db1/metrics/job/app', 'orders 1\nqueue_depth 2\n', await weir.bearer(producer));
  client = await weir.createClient('acme', 'read:metrics');
  secretFile = weir.secretFile(client);
  const jobs = [
    { name: 'endpoint', path: 'acme/db1/metrics', interval: '1s' },
    { name: 'project', path: 'acme/metrics', interval: '1s' },
  ];
  prometheus = await PrometheusProcess.start(programs, scrapeConfig({ weir, client, jobs }));
  await prometheus.allUp();
  startedAt = now();
});

const now = (): number => Date.now() / 1000;

interface Rotated {
  readonly client_secret: string;
  readonly previous_secret_expires_at: string;
}

interface SecretRow {
  readonly secret_id: string;
  readonly last_used_at: string | null;
}

const secrets = (): Promise<SecretRow[]> => weir.command<SecretRow[]>('client', 'secret', 'list', client.client_id);

/** As one rotates: a new secret, then the file that Prometheus reads, in one move. Resolves when the secret is used. */
async function rotateSecret(overlap: string): Promise<Rotated> {
  const before = await secrets();
  const rotated = await weir.command<Rotated & Record<string, string>>(
    ...['client', 'rotate', client.client_id, '--overlap', overlap],
  );
  const isNew = ({ secret_id }: SecretRow): boolean => !before.some((old) => old.secret_id === secret_id);
  await scrapes(2);
  writeFileSync(`${secretFile}.new`, rotated.client_secret);
  renameSync(`${secretFile}.new`, secretFile);
  await eventually('the new secret to be used', async () =>
    (await secrets()).some((secret) => isNew(secret) && secret.last_used_at !== null) ? true : undefined,
  );
  return rotated;
}

/** Resolves when each job has scraped so many times more, with or without success. */
async function scrapes(count: number): Promise<void> {
  const from = now();
  await eventually(`${count} scrapes`, async () => {
    const series = await prometheus.query('up[5m]');
    const more = series.map(({ samples }) => samples.filter(({ time }) => time > from).length);
    return more.length === 2 && Math.min(...more) >= count ? true : undefined;
  });
}

async function tokenStatus(secret: string): Promise<number> {
  const authorization = `Basic ${btoa(`${client.client_id}:${secret}`)}`;
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  return (await fetch(client.token_url, { method: 'POST', body, headers: { authorization } })).status;
}

describe('a Prometheus that scrapes every second and is never told anything', () => {
  it('loses no scrape to new secrets, new signing keys and a SIGKILL, but those while the gateway is down', async () => {
    const { previous_secret_expires_at } = await rotateSecret('8s');
    await eventually('the end of the old secret', () =>
      now() * 1000 > Date.parse(previous_secret_expires_at) ? true : undefined,
    );
    expect(await tokenStatus(client.client_secret), 'the first secret').toBe(401);
    await scrapes(3);

    const keys = () => weir.command<{ kid: string; state: string }[]>('key', 'list');
    const current = async () => (await keys()).find(({ state }) => state === 'current')!.kid;
    const firstKey = await current();
    await weir.command('key', 'rotate');
    expect(await current()).not.toBe(firstKey);
    await scrapes(3);

    // Prometheus keeps a token for 15 minutes: another secret makes it ask for one that the new key signs.
    const { client_secret: last } = await rotateSecret('0');
    await scrapes(3);

    const killedAt = now() - 0.05;
    await weir.kill();
    await weir.start();
    const readyAt = now();
    await scrapes(4);
    expect(await tokenStatus(client.client_secret), 'the first secret').toBe(401);
    expect(await tokenStatus(last), 'the last secret').toBe(200);

    const elapsed = now() - startedAt;
    const whileUp = ({ time }: StoredSample): boolean => time < killedAt || time > readyAt;
    const ups = await prometheus.query('up[5m]');
    expect(ups.map(({ labels }) => labels.job).sort()).toEqual(['endpoint', 'project']);
    for (const { labels, samples } of ups) {
      const failed = samples.filter(({ value }) => value !== 1);
      expect(failed.filter(whileUp), `failed scrapes of the ${labels.job}`).toEqual([]);
      expect(samples.length, 'scrapes').toBeGreaterThan(0.8 * elapsed);
    }
    for (const { labels, samples } of await prometheus.query('scrape_samples_scraped[5m]')) {
      const counts = new Set(samples.filter(whileUp).map(({ value }) => value));
      expect(counts.size, `samples of the ${labels.job}: ${[...counts]}`).toBe(1);
      expect([...counts][0]).toBeGreaterThan(2);
    }
  });
});
