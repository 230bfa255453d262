import { expect, it } from 'vitest';
import { defaultStatsd, type StatsdRefusal } from '../../src/domain/statsd.js';
import { StatsdWindow } from '../../src/ingest/statsd/window.js';

const routing = () => ({ projectLabel: 'weir_project', endpointLabel: 'weir_endpoint' });

function open(): { window: StatsdWindow; refused: Map<StatsdRefusal, number> } {
  const refused = new Map<StatsdRefusal, number>();
  const settings = { ...defaultStatsd, target: { projectId: 'acme', metricsId: 'db1' } };
  const count = (reason: StatsdRefusal, values: number): void =>
    void refused.set(reason, (refused.get(reason) ?? 0) + values);
  return { window: new StatsdWindow({ settings, routing, refused: count }), refused };
}

const padding = 'x'.repeat(7000);

it.each([
  ['members of a set', (i: number) => `users:${padding}${i}|s`],
  ['series', (i: number) => `orders:1|c|#user:${padding}${i}`],
])('holds no more than it has room for, whatever comes: %s', (_, line) => {
  const { window, refused } = open();
  const sent = 6000;
  for (let i = 0; i < sent; i++) window.packet(Buffer.from(line(i)));
  const full = refused.get('full')!;
  expect(full).toBeGreaterThan(1000);
  const values = (): number => window.take().reduce((sum, each) => sum + each.values, 0);
  expect(values()).toBe(sent - full);
  // After a flush there is room again.
  window.packet(Buffer.from(line(0)));
  expect(values()).toBe(1);
  expect(refused.get('full')).toBe(full);
});

it('one series is one, whatever the order of its tags', () => {
  const { window } = open();
  window.packet(Buffer.from('a:1|c|#x:1,y:2\na:1|c|#y:2,x:1|c:ci-1\na:1|c|@0.5|#y:2,x:1,x:1'));
  expect(window.take()).toMatchObject([
    {
      values: 3,
      sum: 4,
      series: {
        labels: [
          ['x', '1'],
          ['y', '2'],
        ],
      },
    },
  ]);
});
