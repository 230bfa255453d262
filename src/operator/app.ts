import { Hono } from 'hono';
import type { OperatorMetrics } from '../telemetry/operator-metrics.js';

/** A named condition of readiness; rejects with the reason when it does not hold. */
export interface ReadyCheck {
  readonly name: string;
  readonly check: () => Promise<void>;
}

export interface OperatorAppOptions {
  readonly metrics: OperatorMetrics;
  readonly readyChecks: readonly ReadyCheck[];
}

/** The operator's listener: nothing on it is reachable through the public one. */
export function operatorApp({ metrics, readyChecks }: OperatorAppOptions): Hono {
  const app = new Hono();
  app.get('/-/healthy', (c) => c.text('Weir is healthy.\n'));
  app.get('/-/ready', async (c) => {
    const failures: string[] = [];
    for (const { name, check } of readyChecks) {
      try {
        await check();
      } catch (error) {
        failures.push(`${name}: ${(error as Error).message}`);
      }
    }
    if (failures.length > 0) return c.text(`Weir is not ready.\n${failures.join('\n')}\n`, 503);
    return c.text('Weir is ready.\n');
  });
  app.get('/metrics', async (c) => {
    const page = await metrics.registry.metrics();
    return c.body(page, 200, { 'content-type': metrics.registry.contentType });
  });
  app.notFound((c) => c.text('There is /metrics, /-/healthy and /-/ready.\n', 404));
  return app;
}
