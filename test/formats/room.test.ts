import { expect, it, vi } from 'vitest';
import { defaultLimits } from '../../src/domain/limits.js';
import type { ParseOptions } from '../../src/formats/parse.js';

const options: ParseOptions = {
  syntax: 'openmetrics',
  labels: [['instance_id', 'db1']],
  limits: { ...defaultLimits, value_length_bytes: 0 },
  reservedPrefix: 'weir_',
};

it('the canonical form is whole wherever in the body the parser runs out of room', async () => {
  const pushed = [
    '{x="1",y="2"} 1 # {t="u"} 1 1.5',
    ' -inf',
    '{instance_id="x",z="\\\\"} 0.5',
    '{w="w",instance_id="x",v=""} nan',
    `{n="2"} ${'9'.repeat(150)}`,
  ];
  const canonical = [
    '{x="1",y="2",instance_id="db1"} 1 # {t="u"} 1 1.5',
    '{instance_id="db1"} -Inf',
    '{z="\\\\",instance_id="db1"} 0.5',
    '{w="w",v="",instance_id="db1"} NaN',
    `{n="2",instance_id="db1"} ${'9'.repeat(150)}`,
  ];
  const spell = (name: string, sets: readonly string[]): string => sets.map((set) => `${name}${set}\n`).join('');
  // Names of one and of many letters, and a bound that grows when it is spelled anew.
  const body = (filler: string): string =>
    `a{x="${filler}"} 1\n# TYPE b counter\n${spell('b_total', pushed).replaceAll(' nan', ' 7')}# TYPE h histogram\nh_bucket{le="1e9"} 1\nh_bucket{le="5"} 1\n${spell('much_longer', pushed.slice(1))}# EOF\n`;
  const wanted = (filler: string): string =>
    `a{x="${filler}",instance_id="db1"} 1\n${spell('b_total', canonical).replaceAll(' NaN', ' 7')}h_bucket{le="1e+09",instance_id="db1"} 1\nh_bucket{le="5.0",instance_id="db1"} 1\n${spell('much_longer', canonical.slice(1))}`;
  const room = 256 * 1024;
  const tail = wanted('').length;
  for (let beyond = -100; beyond < tail + 100; beyond += 17) {
    // A parser that was never used has the room it begins with.
    vi.resetModules();
    const fresh = await import('../../src/formats/parse.js');
    const filler = 'v'.repeat(room - beyond);
    const { bytes } = fresh.parseExposition(Buffer.from(body(filler)), options);
    expect(bytes.toString() === wanted(filler), `${beyond} bytes beyond`).toBe(true);
  }
});
