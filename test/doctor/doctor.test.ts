import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { doctorCommand } from '../../src/cli/doctor.js';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import type { Finding } from '../../src/doctor/finding.js';
import { type Clock, systemClock } from '../../src/domain/clock.js';
import { basic, type Credentials, TestGateway } from '../support/gateway.js';

/** The time of the gateway, which a test may set back: what was pushed then is old now. */
let behindMs = 0;
const clock: Clock = {
  now: () => systemClock.now() - behindMs,
  monotonic: () => systemClock.monotonic(),
};

let gateway: TestGateway;
let scraper: Credentials;
const servers: Server[] = [];
let files = 0;

beforeAll(async () => {
  gateway = await TestGateway.boot({ clock, seams: { writeRecordsEveryMs: 10 } });
  await gateway.project('acme', 'db1', 'idle');
  await gateway.project('rival', 'db1');
  await gateway.push('acme/db1/metrics', 'up_and_well 1\n', await gateway.bearer('acme'));
  scraper = await gateway.client('acme', ['read:metrics']);
});
afterAll(async () => {
  await gateway.stop();
  for (const server of servers) server.close();
});

const file = (content: string): string => {
  const path = join(gateway.folder, `secret-${files++}`);
  writeFileSync(path, content);
  return path;
};

/** What the command prints, and whether it says that something is wrong. */
async function doctor(...args: string[]): Promise<{ findings: Finding[]; exitCode: unknown }> {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const all = [...args, ...(args.includes('--project') ? [] : ['--project', 'acme'])];
    await doctorCommand().parseAsync([...all, '--format=json'], { from: 'user' });
    return { findings: JSON.parse(printed) as Finding[], exitCode: process.exitCode };
  } finally {
    write.mockRestore();
    process.exitCode = 0;
  }
}

/** Beside the server, with its records. */
const beside = (...args: string[]) =>
  doctor(`--storage.path=${gateway.config.storage.path}`, `--web.external-url=${gateway.url}`, ...args);
const as = ({ clientId, clientSecret }: Credentials, secret = clientSecret): string[] => [
  `--client=${clientId}`,
  `--client-secret-file=${file(secret)}`,
];

const of = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check);
const wrong = (findings: readonly Finding[]): string[] =>
  findings.filter(({ status }) => status === 'problem' || status === 'warning').map(({ check }) => check);

/** What stands between a scraper and the gateway. */
async function proxy(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Hands requests on as `change` has left them, and answers likewise. */
const forwarding =
  (change: {
    request?: (headers: Record<string, unknown>) => void;
    response?: (headers: Record<string, unknown>) => void;
  }): RequestListener =>
  (incoming, outgoing) => {
    const headers: Record<string, unknown> = { ...incoming.headers };
    change.request?.(headers);
    const onward = request(
      `${gateway.url}${incoming.url}`,
      { method: incoming.method!, headers: headers as Record<string, string> },
      (answer) => {
        const changed: Record<string, unknown> = { ...answer.headers };
        change.response?.(changed);
        outgoing.writeHead(answer.statusCode!, changed as Record<string, string>);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
  };

/** A scrape as a tool makes it. */
const scrape = (path: string, authorization: string) =>
  fetch(`${gateway.url}/api/v1/${path}/metrics`, { headers: { authorization, 'user-agent': 'Prometheus/2.42.0' } });

async function logged(clientId: string, reason: string | null): Promise<void> {
  const reasons = async () =>
    (await gateway.admin.accessLog.list({ projectId: 'acme', clientId, limit: 50 })).map((entry) => entry.reason);
  await expect.poll(reasons).toContain(reason);
}

it('finds nothing where nothing is wrong, and says what it saw', async () => {
  const { findings, exitCode } = await beside(...as(scraper), '--endpoint=db1');
  expect(wrong(findings)).toEqual([]);
  expect(exitCode ?? 0).toBe(0);
  expect(of(findings, 'page')!.found).toContain('/api/v1/acme/db1/metrics');
  expect(of(findings, 'cardinality')!.found).toBe('1 series of at most 50000');
  expect(findings.map(({ check }) => check)).toEqual([
    'address',
    'name',
    'connection',
    'tls',
    'gateway',
    'clock',
    'project',
    'secret',
    'token by Basic',
    'token by body',
    'scopes',
    'page',
    'time',
    'format',
    'age',
    'completeness',
    'cardinality',
    'interval',
    'last scrapes',
  ]);
});

it('prints a line for each step, and with a problem its cause and cure', async () => {
  let printed = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  await doctorCommand().parseAsync(['--url=http://127.0.0.1:1', '--project=acme'], { from: 'user' });
  write.mockRestore();
  expect(process.exitCode).toBe(1);
  process.exitCode = 0;
  expect(printed).toMatch(/^ok {4}address {7}http:\/\/127\.0\.0\.1:1\n/);
  expect(printed).toMatch(
    /\nFAIL {2}connection {4}127\.0\.0\.1 port 1: ECONNREFUSED\. Nothing listens there: .* Compare with /,
  );
});

describe('the way to the gateway', () => {
  it.each([
    ['not a URL', 'metrics.example.com', 'address', 'https://metrics.example.com'],
    ['a path in the URL', 'http://127.0.0.1:1/oauth/token', 'address', 'Write http://127.0.0.1:1.'],
    ['a name that does not resolve', 'http://no-such-host.invalid', 'name', 'getent hosts no-such-host.invalid'],
    ['a port where nothing listens', 'http://127.0.0.1:1', 'connection', '--web.listen-address'],
  ])('%s', async (_, url, check, cure) => {
    const { findings, exitCode } = await doctor(`--url=${url}`);
    expect(of(findings, check)).toMatchObject({ status: 'problem', cure: expect.stringContaining(cure) });
    expect(exitCode).toBe(1);
  });

  it('something else that answers there', async () => {
    const url = await proxy((_, outgoing) => outgoing.end('<html>Please sign in</html>'));
    expect(of((await doctor(`--url=${url}`)).findings, 'gateway')).toMatchObject({
      status: 'problem',
      found: 'status 200',
    });
  });

  it('a clock that is an hour ahead', async () => {
    const ahead = (headers: Record<string, unknown>) => {
      headers.date = new Date(Date.now() + 3_600_000).toUTCString();
    };
    const url = await proxy(forwarding({ response: ahead }));
    const { findings } = await doctor(`--url=${url}`);
    expect(of(findings, 'clock')).toMatchObject({
      status: 'problem',
      found: expect.stringMatching(/is 3(599|600) s ahead/),
    });
    expect(of(findings, 'gateway')).toMatchObject({
      status: 'warning',
      cure: expect.stringContaining('--web.external-url'),
    });
  });

  it('a proxy that keeps the Authorization header', async () => {
    const url = await proxy(forwarding({ request: (headers) => delete headers.authorization }));
    const { findings } = await doctor(`--url=${url}`, ...as(scraper));
    expect(of(findings, 'token by body')).toMatchObject({ status: 'ok' });
    expect(of(findings, 'page')).toMatchObject({
      status: 'problem',
      cause: expect.stringContaining('does not arrive'),
    });
  });
});

describe('TLS', () => {
  let tls: TestGateway;
  let caFile: string;
  beforeAll(async () => {
    const folder = join(gateway.folder, 'tls');
    mkdirSync(folder);
    const certificate = await writeDemoCertificate(folder, Date.now(), ['localhost', '127.0.0.1']);
    caFile = certificate.certFile;
    tls = await TestGateway.boot({ clock: systemClock, webConfigFile: certificate.webConfigFile });
    await tls.project('acme', 'db1');
  });
  afterAll(() => tls.stop());
  const port = () => new URL(tls.url).port;

  it('a certificate of an issuer that is not known', async () => {
    const { findings } = await doctor(`--url=https://127.0.0.1:${port()}`);
    expect(of(findings, 'tls')).toMatchObject({ status: 'problem', cure: expect.stringContaining('--ca-file') });
    const trusted = await doctor(`--url=https://127.0.0.1:${port()}`, `--ca-file=${caFile}`);
    expect(of(trusted.findings, 'gateway')).toBeDefined();
    expect(of(trusted.findings, 'tls')!.status).not.toBe('problem');
  });

  it('http in the URL where https is spoken', async () => {
    const { findings } = await doctor(`--url=http://127.0.0.1:${port()}`);
    expect(of(findings, 'tls')).toMatchObject({ status: 'problem', cure: `Write https://127.0.0.1:${port()}.` });
  });

  it('https in the URL where http is spoken', async () => {
    const { findings } = await doctor(`--url=${gateway.url.replace('http:', 'https:')}`);
    expect(of(findings, 'tls')).toMatchObject({ status: 'problem', cause: 'What listens there does not speak TLS.' });
  });
});

describe('credentials', () => {
  const token = 'token by Basic';

  it.each([
    ['an empty secret file', () => as(scraper, '\n'), 'problem', 'never written'],
    ['a secret broken over two lines', () => as(scraper, 'weir_cs_abc\ndef'), 'problem', 'two lines'],
    ['a newline after the secret', () => as(scraper, `${scraper.clientSecret}\n`), 'warning', 'Datadog'],
    [
      'id and secret swapped',
      () => as({ clientId: scraper.clientSecret, clientSecret: scraper.clientId }),
      'problem',
      'Ids begin with',
    ],
    ['a secret of something else', () => as(scraper, 'eyJhbGciOi.a.b'), 'warning', 'another service'],
  ] as const)('%s', async (_, args, status, cause) => {
    const { findings } = await beside(...args());
    expect(of(findings, 'secret')).toMatchObject({ status, cause: expect.stringContaining(cause) });
  });

  it('a wrong secret, which the access log shows', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    const { findings, exitCode } = await beside(...as(client, `${client.clientSecret.slice(0, -4)}AAAA`));
    expect(of(findings, token)).toMatchObject({ status: 'problem', found: "the secret is none of the client's" });
    expect(of(findings, 'token by body')).toMatchObject({ status: 'problem' });
    expect(of(findings, 'page')!.status).toBe('skipped');
    expect(exitCode).toBe(1);
    await logged(client.clientId, 'wrong_credentials');
  });

  it('without the records it says what it may be', async () => {
    const { findings } = await doctor(`--url=${gateway.url}`, ...as(scraper, 'weir_cs_wrong'));
    expect(of(findings, token)).toMatchObject({
      found: '401 invalid_client',
      cure: expect.stringContaining('rotate'),
      link: `${gateway.url}/docs/errors#invalid_client`,
    });
    expect(of(findings, 'last scrapes')).toMatchObject({ status: 'skipped' });
  });

  it('an old secret after its rotation', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    await gateway.admin.clients.rotate(client.clientId, 0);
    const { findings } = await beside(...as(client));
    expect(of(findings, token)!.found).toMatch(/none of the client's; 1 of its earlier ones are (expired|revoked)/);
  });

  it('a client that is disabled, and one that was deleted', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    await gateway.admin.clients.disable(client.clientId);
    const disabled = (await beside(...as(client))).findings;
    expect(of(disabled, token)).toMatchObject({
      found: expect.stringContaining('disabled since'),
      cause: 'The client is disabled.',
    });
    await logged(client.clientId, 'disabled_client');
    await gateway.admin.clients.delete(client.clientId);
    expect(of((await beside(...as(client))).findings, token)!.found).toBe('there is no such client');
  });

  it('too many wrong secrets', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    const guess = (secret: string) =>
      gateway.bearerOf({ ...client, clientSecret: `weir_cs_${secret}` }).catch(() => '');
    for (let i = 0; i < 30; i++) await guess(String(i).repeat(20));
    const { findings } = await beside(...as(client, 'weir_cs_wrong'));
    expect(of(findings, token)).toMatchObject({
      found: '429 temporarily_unavailable',
      cure: expect.stringContaining('ban list'),
    });
    await logged(client.clientId, 'guessing');
  });

  it('a client that may only push', async () => {
    const client = await gateway.client('acme', ['write:metrics']);
    const { findings } = await beside(...as(client));
    expect(of(findings, 'scopes')).toMatchObject({ status: 'problem', found: 'write:metrics' });
    expect(of(findings, 'page')).toMatchObject({
      status: 'problem',
      found: '/api/v1/acme/metrics: status 403',
      link: `${gateway.url}/docs/errors#insufficient_scope`,
    });
  });
});

describe('the page', () => {
  it.each([
    ['an endpoint that is not there', ['--endpoint=db9'], 'unknown_endpoint'],
    ['the path of another project', ['--project', 'rival'], 'other_project'],
  ])('%s', async (_, args, reason) => {
    const client = await gateway.client('acme', ['read:metrics']);
    const { findings } = await beside(...as(client), ...args);
    expect(of(findings, 'page')).toMatchObject({
      status: 'problem',
      cause: expect.stringContaining('no such endpoint'),
    });
    await logged(client.clientId, reason);
  });

  it('a name, typed with a slash, for a project', async () => {
    const { findings } = await beside('--project', 'acme/db1');
    expect(of(findings, 'project')).toMatchObject({
      status: 'problem',
      cure: expect.stringContaining('weir project list'),
    });
  });

  it('a project that is not there', async () => {
    const { findings } = await beside('--project', 'nowhere');
    expect(of(findings, 'project')).toMatchObject({ status: 'problem', found: 'there is no project nowhere' });
  });

  it('nothing was pushed to it yet', async () => {
    const { findings } = await beside(...as(scraper), '--endpoint=idle');
    expect(of(findings, 'age')).toMatchObject({ status: 'problem', found: 'the page has no series' });
  });

  it('its producer stopped', async () => {
    await gateway.project('still', 'db1');
    await gateway.admin.endpoints.set('still', 'db1', { lifetimeMs: 3_600_000 });
    behindMs = 600_000;
    const bearer = await gateway.bearer('still');
    await gateway.push('still/db1/metrics', 'long_ago 1\n', bearer);
    behindMs = 0;
    const client = await gateway.client('still', ['read:metrics']);
    const { findings } = await beside('--project', 'still', ...as(client));
    expect(of(findings, 'age')).toMatchObject({ status: 'warning', found: expect.stringMatching(/is 60\d s old/) });
  });

  it('the project is nearly full', async () => {
    await gateway.project('full', 'db1');
    await gateway.admin.projects.setLimits('full', { series: 10 });
    const ten = Array.from({ length: 10 }, (_, i) => `m{i="${i}"} 1\n`).join('');
    await gateway.push('full/db1/metrics', ten, await gateway.bearer('full'));
    const client = await gateway.client('full', ['read:metrics']);
    const { findings } = await beside('--project', 'full', ...as(client));
    expect(of(findings, 'cardinality')).toMatchObject({ status: 'warning', found: '10 series of at most 10' });
  });

  it('the limit of scrapes is used up', async () => {
    await gateway.project('slow', 'db1');
    await gateway.admin.projects.setLimits('slow', { scrapes_per_minute: 1 });
    const client = await gateway.client('slow', ['read:metrics']);
    const bearer = await gateway.bearerOf(client);
    for (let i = 0; i < 3; i++) await scrape('slow/db1', bearer);
    const { findings } = await beside('--project', 'slow', ...as(client));
    expect(of(findings, 'page')).toMatchObject({ status: 'problem', found: expect.stringContaining('status 429') });
  });
});

describe('the scrapes before', () => {
  const last = (findings: readonly Finding[]) => of(findings, 'last scrapes')!;

  it('a token that was kept after its revocation', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    const bearer = await gateway.bearerOf(client);
    await scrape('acme/db1', bearer);
    await gateway.admin.clients.revokeTokens(client.clientId);
    await expect.poll(async () => (await scrape('acme/db1', bearer)).status).toBe(401);
    await logged(client.clientId, 'revoked_token');
    const { findings } = await beside(...as(client));
    expect(last(findings)).toMatchObject({
      status: 'problem',
      found: expect.stringMatching(
        /a scrape of db1 by weir_cid_\S+ from 127\.0\.0\.1 \(Prometheus\/2\.42\.0\) \d+ s ago: 401 revoked_token/,
      ),
      cure: expect.stringContaining('keep a token until it ends'),
    });
  });

  it('Basic on a page, which the client may not use', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    await gateway.bearerOf(client);
    expect((await scrape('acme/db1', basic(client.clientId, client.clientSecret))).status).toBe(401);
    await logged(client.clientId, 'basic_not_allowed');
    const { findings } = await beside(...as(client));
    expect(last(findings)).toMatchObject({ status: 'problem', cure: expect.stringContaining('--allow-basic=on') });
  });

  it('an interval shorter than the cache', async () => {
    const client = await gateway.client('acme', ['read:metrics']);
    const bearer = await gateway.bearerOf(client);
    for (let i = 0; i < 3; i++) await scrape('acme/db1', bearer);
    await logged(client.clientId, null);
    const check = async () => of((await beside(...as(client))).findings, 'interval')!;
    await expect.poll(async () => (await check()).status).toBe('warning');
    expect((await check()).cure).toContain('30s, 60s or 120s');
  });
});
