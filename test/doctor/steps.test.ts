import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scrape } from '../../src/doctor/page.js';
import { reach } from '../../src/doctor/reach.js';
import type { Handshake, Reply, Wire } from '../../src/doctor/wire.js';
import { accessReasons } from '../../src/domain/access.js';
import { reasonAdvice } from '../../src/domain/access-advice.js';

const now = Date.UTC(2026, 0, 1);
const day = 86_400_000;

/** A network on which all is well, but for what a test says. */
const wire = (changes: { handshake?: Partial<Handshake>; reply?: Partial<Reply> }): Wire => ({
  addressesOf: async () => ['192.0.2.1'],
  connect: async () => {},
  handshake: async () => ({
    fault: undefined,
    protocol: 'TLSv1.3',
    endsAt: now + 90 * day,
    names: 'x',
    ...changes.handshake,
  }),
  ask: async () => ({ status: 200, headers: {}, body: Buffer.from('up 1\n'), bytes: 5, ms: 20, ...changes.reply }),
});

describe('a certificate', () => {
  const look = async (handshake: Partial<Handshake>) =>
    (await reach(new URL('https://metrics.example.com'), wire({ handshake }), now)).at(-1)!;

  it.each([
    ['CERT_HAS_EXPIRED', 'Renew it.'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Use one of them in the URL.'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the whole chain'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', '--ca-file'],
  ])('with the fault %s has a cure', async (fault, cure) => {
    expect(await look({ fault })).toMatchObject({
      check: 'tls',
      status: 'problem',
      cure: expect.stringContaining(cure),
    });
  });

  it('that ends soon is warned of', async () => {
    expect(await look({ endsAt: now + 13 * day })).toMatchObject({
      status: 'warning',
      found: 'the certificate ends on 2026-01-14',
    });
    expect(await look({ endsAt: now + 15 * day })).toMatchObject({ status: 'ok' });
  });
});

it('http to another machine is warned of', async () => {
  const [address] = await reach(new URL('http://metrics.example.com'), wire({}), now);
  expect(address).toMatchObject({ check: 'address', status: 'warning', cause: expect.stringContaining('Datadog') });
});

describe('a page', () => {
  const walk = { projectId: 'acme', metricsId: undefined, token: 't', seriesLimit: 0 };
  const look = async (reply: Partial<Reply>, check: string) =>
    (await scrape(new URL('https://metrics.example.com'), walk, wire({ reply }), now)).find(
      (one) => one.check === check,
    );

  it.each([
    ['that takes longer than half of the scrape timeout', { ms: 6000 }, 'time', 'warning'],
    ['that a source left incomplete', { headers: { 'x-weir-completeness': 'partial' } }, 'completeness', 'warning'],
    ['that a proxy answered', { body: Buffer.from('<html>') }, 'format', 'problem'],
    [
      'with very many series',
      { body: Buffer.from(Array.from({ length: 50_001 }, (_, i) => `a{i="${i}"} 1\n`).join('')) },
      'cardinality',
      'warning',
    ],
    ['that the gateway cannot give', { status: 503 }, 'page', 'problem'],
  ] as const)('%s', async (_, reply, check, status) => {
    expect(await look(reply, check)).toMatchObject({ status, cause: expect.any(String), cure: expect.any(String) });
  });
});

it('every reason of the access log has a cause and a cure, and a line in docs/troubleshooting.md', () => {
  expect(Object.keys(reasonAdvice).sort()).toEqual([...accessReasons].sort());
  const page = readFileSync('docs/troubleshooting.md', 'utf8');
  for (const reason of accessReasons) {
    const { cause, cure } = reasonAdvice[reason];
    expect(page).toContain(`| \`${reason}\` | ${cause} | ${cure} |\n`);
  }
});
