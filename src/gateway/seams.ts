import type { Clock } from '../domain/clock.js';
import type { RandomBytes } from '../domain/ids.js';
import type { EgressSeams } from '../net/egress.js';
import type { BuildInfo } from '../telemetry/gateway-metrics.js';
import type { Log } from '../telemetry/log.js';

/** What tests replace: time, randomness, where the log goes, how much memory is used. */
export interface Seams {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly build: BuildInfo;
  readonly pageMemoryBytes?: number;
  readonly groupMemoryBytes?: number;
  /** How streams reach their destinations, and sources and the JWKS of clients are reached. */
  readonly egress?: EgressSeams;
  readonly streamTickMs?: number;
  /** What a stop waits for destinations. */
  readonly streamGraceMs?: number;
  readonly sourceTickMs?: number;
  /** How often usage and the access log are written. */
  readonly writeRecordsEveryMs?: number;
}
