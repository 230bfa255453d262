import { Hono } from 'hono';
import { OperatorError } from '../domain/errors.js';
import type { MetricsPage } from '../telemetry/metrics/index.js';
import { failing, type ReadyCheck } from './ready.js';

export interface OperatorAppOptions {
  /** What /metrics shows; without it there is none. */
  readonly page: (() => Promise<MetricsPage>) | undefined;
  readonly readyChecks: readonly ReadyCheck[];
  /** Throws `OperatorError` with what is wrong with the new configuration. */
  readonly reload: () => void;
}

/** The operator's listener: nothing on it is reachable through the public one. */
export function operatorApp({ page, readyChecks, reload }: OperatorAppOptions): Hono {
  const app = new Hono();
  app.get('/-/healthy', (c) => c.text('Weir is healthy.\n'));
  app.get('/-/ready', async (c) => {
    const failures = [...(await failing(readyChecks))].map(([name, reason]) => `${name}: ${reason}`);
    if (failures.length > 0) return c.text(`Weir is not ready.\n${failures.join('\n')}\n`, 503);
    return c.text('Weir is ready.\n');
  });
  // As in Prometheus, PUT is as good as POST.
  app.on(['POST', 'PUT'], '/-/reload', (c) => {
    try {
      reload();
      return c.text('The configuration was read again.\n');
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      return c.text(`The configuration cannot be read again; the old one stays.\n${error.message}\n`, 500);
    }
  });
  app.get('/-/reload', (c) => c.text('Only POST and PUT reload.\n', 405, { allow: 'POST, PUT' }));
  if (page !== undefined) {
    app.get('/metrics', async (c) => {
      const { contentType, body } = await page();
      return c.body(body, 200, { 'content-type': contentType });
    });
  }
  const metrics = page === undefined ? '' : '/metrics, ';
  app.notFound((c) => c.text(`There is ${metrics}/-/healthy, /-/ready and /-/reload.\n`, 404));
  return app;
}
