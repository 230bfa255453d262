import type { Clock } from '../domain/clock.js';
import type { Limits } from '../domain/limits.js';
import type { SourceSecrets, SourceSettings, SourceType } from '../domain/source.js';
import { Connection, type SourceReach } from './connection.js';
import { pullExporter } from './exporter.js';
import { openPromql } from './promql.js';
import type { Pulled } from './pulled.js';

export interface SourceTarget {
  readonly type: SourceType;
  readonly settings: SourceSettings;
  readonly secrets: SourceSecrets;
}

/** Asks once. Throws `PullError`, or `WeirError` for an answer that cannot be read. */
export type PullOnce = (limits: Limits) => Promise<Pulled>;

/** A source, ready to be asked; it keeps its token and its metadata from one pull to the next. */
export function openSource({ type, settings, secrets }: SourceTarget, reach: SourceReach, clock: Clock): PullOnce {
  const connection = new Connection(settings, secrets, reach, clock);
  const pull = type === 'exporter' ? pullExporter(connection, settings) : openPromql(connection, settings, clock);
  return (limits) => pull(settings.bodyLimit || limits.body_inflated_bytes || largestBody);
}

/** Where nobody has set a limit. */
const largestBody = 256 * 1024 * 1024;
