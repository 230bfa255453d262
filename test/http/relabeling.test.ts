import { compressSync } from 'snappy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Relabeling } from '../../src/domain/relabel.js';
import { samples, TestGateway } from '../support/gateway.js';
import { request1 } from '../support/remote-write.js';

let gateway: TestGateway;
let bearer: string;

const withinASecond = { timeout: 1000, interval: 10 };
const page = (): Promise<string> => gateway.page('acme/db1/metrics', bearer);
const set = (relabeling: Partial<Relabeling>) => gateway.admin.endpoints.set('acme', 'db1', relabeling);

beforeEach(async () => {
  gateway = await TestGateway.boot();
  await gateway.project('acme', 'db1', 'db2');
  bearer = await gateway.bearer('acme');
  for (const metricsId of ['db1', 'db2']) {
    await gateway.push(`acme/${metricsId}/metrics/job/app`, 'debug 1\nsize{pod="a",shard="1"} 2\n', bearer);
  }
});
afterEach(() => gateway.stop());

describe('an endpoint with relabeling', () => {
  it('serves what the rules make of its series, within a second, on its page and that of the project', async () => {
    await page();
    await gateway.page('acme/metrics', bearer);
    await set({
      droppedMetrics: ['debug'],
      relabelConfigs: [{ source_labels: ['shard'], target_label: 'part', replacement: 'p$1' }],
      droppedLabels: ['pod', 'shard'],
    });
    await expect.poll(async () => samples(await page()), withinASecond).toEqual([expect.stringContaining('size{')]);
    expect(samples(await page())).toEqual([expect.stringMatching(/^size\{(?=.*part="p1")(?!.*pod)(?=.*job="app")/)]);
    const whole = samples(await gateway.page('acme/metrics', bearer));
    expect(whole).toHaveLength(3);
    expect(whole.filter((line) => line.includes('db2'))).toHaveLength(2);
    // What is stored stays as it was.
    await set({ droppedMetrics: [], relabelConfigs: [], droppedLabels: [] });
    await expect.poll(async () => samples(await page()).length, withinASecond).toBe(2);
    expect(await page()).not.toContain('left_out');
  });

  it('says on its page what was left out and why', async () => {
    await gateway.push('acme/db1/metrics/job/app', 'a{x="1"} 1\na{x="2"} 2\nb 1\nc 1\n', bearer);
    await set({
      relabelConfigs: [
        { source_labels: ['__name__'], regex: 'b', action: 'drop' },
        { source_labels: ['__name__'], regex: 'c', target_label: '__name__', replacement: 'weir_snapshot' },
      ],
      droppedLabels: ['x'],
    });
    const said = (reason: string) => `weir_endpoint_left_out_series{instance_id="db1",reason="${reason}"} 1\n`;
    await expect.poll(page, withinASecond).toContain(said('duplicate'));
    expect(await page()).toContain(said('rule') + said('duplicate') + said('invalid'));
    expect(await page()).not.toContain('weir_snapshot{');
  });

  it('relabels series that come by remote write, with their times', async () => {
    const at = gateway.clock.now();
    await gateway.admin.endpoints.set('acme', 'db1', { timestamps: true });
    const written = request1([
      { labels: { __name__: 'live', pod: 'a' }, samples: [[1, at]] },
      { labels: { __name__: 'live', pod: 'b' }, samples: [[2, at + 1]] },
      { labels: { __name__: 'other', pod: 'b' }, samples: [[3, at + 2]] },
    ]);
    const response = await gateway.fetch('/api/v1/acme/db1/write', {
      method: 'POST',
      body: new Uint8Array(compressSync(written)),
      bearer,
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    });
    expect(response.status).toBe(204);
    await set({ droppedLabels: ['pod'] });
    await expect.poll(page, withinASecond).toContain(`other{instance_id="db1"} 3 ${at + 2}\n`);
    expect((await page()).match(/^live\{.*$/gm)).toEqual([`live{instance_id="db1"} 1 ${at}`]);
  });

  it('shows in descriptors and match[] what it serves', async () => {
    await set({ droppedLabels: ['pod'], droppedMetrics: ['debug'] });
    const described = async () => {
      const response = await gateway.fetch('/api/v1/acme/descriptors', { bearer });
      return JSON.stringify(await response.json());
    };
    await expect.poll(described, withinASecond).toContain('"labels":["instance_id","job"],"endpoints":["db2"]');
    const selected = await gateway.page('acme/metrics?match[]={pod="a"}', bearer);
    expect(samples(selected)).toEqual([expect.stringContaining('db2')]);
  });

  it('works out each series once, and values are those of now', async () => {
    await set({ droppedLabels: ['pod'] });
    await expect.poll(page, withinASecond).not.toContain('pod=');
    await gateway.push('acme/db1/metrics/job/app', 'size{pod="a",shard="1"} 7\n', bearer);
    gateway.clock.advance(30_001);
    expect(samples(await page())).toEqual([expect.stringMatching(/^size\{.*\} 7$/)]);
  });
});

describe('a preview', () => {
  it('is of what is set, or of what is given in its place, and changes nothing', async () => {
    await set({ droppedMetrics: ['debug'] });
    const { endpoints } = gateway.admin;
    const now = await endpoints.preview('acme', 'db1');
    expect(now).toMatchObject({ series: 2, changed: 0, leftOut: { rule: 1, duplicate: 0, invalid: 0 } });
    const other = await endpoints.preview('acme', 'db1', { droppedMetrics: [], droppedLabels: ['pod'] });
    expect(other).toMatchObject({ series: 2, changed: 1, leftOut: { rule: 0 } });
    expect(samples(other.page)).toHaveLength(2);
    await expect.poll(page, withinASecond).toBe(now.page);
  });

  it('refuses rules that cannot be', async () => {
    const bad = { relabelConfigs: [{ action: 'drop', regex: '(' }] } as const;
    const { endpoints } = gateway.admin;
    for (const work of [() => endpoints.preview('acme', 'db1', bad), () => endpoints.set('acme', 'db1', bad)]) {
      await expect((async () => work())()).rejects.toMatchObject({
        code: 'invalid',
        facts: { field: 'metric_relabel_configs.0.regex' },
      });
    }
  });
});
