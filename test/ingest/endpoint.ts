import { expect } from 'vitest';
import { samples, type TestGateway } from '../support/gateway.js';

export type Method = 'PUT' | 'POST' | 'DELETE';

/** An answer to a push; of a refusal, what its problem document says. */
export interface Pushed {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly detail?: string;
  readonly line?: number;
  readonly field?: string;
  readonly limit?: string;
  readonly limit_of?: string;
  readonly max?: number;
  readonly actual?: number;
}

let made = 0;

/** An endpoint of its own for one test, and a token that reads and writes it. */
export class TestEndpoint {
  readonly gateway: TestGateway;
  readonly projectId: string;
  readonly metricsId: string;
  readonly bearer: string;

  private constructor(gateway: TestGateway, projectId: string, metricsId: string, bearer: string) {
    this.gateway = gateway;
    this.projectId = projectId;
    this.metricsId = metricsId;
    this.bearer = bearer;
  }

  static async make(gateway: TestGateway, projectId: string): Promise<TestEndpoint> {
    const metricsId = `e${++made}`;
    await gateway.admin.endpoints.create({ name: metricsId, projectId, metricsId });
    return new TestEndpoint(gateway, projectId, metricsId, await gateway.bearer(projectId));
  }

  get path(): string {
    return `/api/v1/${this.projectId}/${this.metricsId}/metrics`;
  }

  /** `group` is what stands after `…/metrics`. Without headers, no content type is sent. */
  async push(method: Method, group: string, body: string | Buffer = '', headers: Record<string, string> = {}) {
    const response = await this.gateway.fetch(`${this.path}${group}`, {
      method,
      bearer: this.bearer,
      headers,
      ...(method === 'DELETE' ? {} : { body: Buffer.from(body) }),
    });
    const text = await response.text();
    const problem = text === '' ? {} : (JSON.parse(text) as Partial<Pushed>);
    return { ...problem, status: response.status, headers: response.headers, text } as Pushed;
  }

  /** The same, and fails unless it was taken. */
  async take(method: Method, group: string, body: string | Buffer = '', headers: Record<string, string> = {}) {
    const { status, text } = await this.push(method, group, body, headers);
    expect([status, text]).toEqual([method === 'DELETE' ? 202 : 200, '']);
  }

  /** The page as it is now, and not as the cache has it. */
  page(): Promise<string> {
    this.gateway.clock.advance(30_001);
    return this.gateway.page(this.path.replace('/api/v1/', ''), this.bearer);
  }

  /** The pushed lines, without the label that is on all of them. */
  async shown(): Promise<string[]> {
    const ours = new RegExp(`,instance_id="${this.metricsId}"|(?<={)instance_id="${this.metricsId}",?`);
    return samples(await this.page()).map((line) => line.replace(ours, '').replace('{}', ''));
  }

  async pushTimes(): Promise<string[]> {
    return (await this.page()).split('\n').filter((line) => line.startsWith('weir_group_last_push_timestamp_seconds{'));
  }
}
