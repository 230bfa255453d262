import { afterEach, expect } from 'vitest';
import { type GatewayOptions, TestGateway } from '../support/gateway.js';
import { Recorder } from '../support/recorder.js';

const opened: { stop?(): Promise<void>; close?(): void }[] = [];

/** Closes what the test has opened, whatever became of it. */
export function closesAfterEach(): void {
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) {
      await each.stop?.();
      each.close?.();
    }
  });
}

export async function boot(options: GatewayOptions = {}): Promise<TestGateway> {
  const gateway = await TestGateway.boot({
    ...options,
    seams: { streamTickMs: 2, streamGraceMs: 100, ...options.seams },
  });
  opened.push(gateway);
  return gateway;
}

export async function recorder(): Promise<Recorder> {
  const server = await new Recorder().listen();
  opened.push(server);
  return server;
}

export const datadog = (server: Recorder, subscriptions: object[] = [{ metric_type: 'project.metrics' }]) => ({
  name: 'datadog-production',
  subscriptions,
  destination: { type: 'datadog', configuration: { api_key: 'dd-canary-key', url: server.url } },
});

/** Moves the held clock and waits until the windows that became due have been dealt with. */
export async function until<T>(look: () => T, wanted: T): Promise<void> {
  await expect.poll(look, { timeout: 5000, interval: 5 }).toEqual(wanted);
}

export const otlp = (server: Recorder, subscriptions: object[] = [{ metric_type: 'project.metrics' }]) => ({
  name: 'newrelic-production',
  subscriptions,
  destination: {
    type: 'otlp',
    configuration: {
      endpoint: server.url,
      protocol: 'http',
      auth_type: 'api_key',
      api_key: 'nr-canary-key',
      auth_header_name: 'api-key',
    },
  },
});

export const remoteWrite = (server: Recorder, subscriptions: object[] = [{ metric_type: 'project.metrics' }]) => ({
  name: 'prometheus',
  subscriptions,
  destination: {
    type: 'prometheus_remote_write',
    configuration: {
      endpoint: `${server.url}/api/v1/write`,
      auth_type: 'basic',
      username: 'user',
      password: 'rw-canary',
    },
  },
});
