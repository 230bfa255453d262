import { datadog } from './datadog.js';
import { dogstatsd } from './dogstatsd.js';
import { dummy } from './dummy.js';
import { logging } from './logging.js';
import { otlp } from './otlp.js';
import { prometheus } from './prometheus.js';
import { statsd } from './statsd.js';

/** Every backend there is: a new one is a file beside this one and a word here. */
export const backendKinds = [dummy, prometheus, dogstatsd, statsd, datadog, otlp, logging] as const;

/** One entry of the list in the configuration. */
export interface BackendConfig {
  readonly type: (typeof backendKinds)[number]['type'];
  /** Of the type's own; `tags` are added to all it sends and win over the caller's. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Times the rate of the measurement; 1. */
  readonly sampleRate?: number | undefined;
  /** Beginnings of the keys that go here; all, when there are none. */
  readonly prefixes?: readonly string[] | undefined;
}
