import { systemClock } from '../domain/clock.js';
import { instanceLabel, reservedMetricPrefix } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { noRelabeling } from '../domain/relabel.js';
import type { SourceSettings } from '../domain/source.js';
import { atOnce, within } from '../domain/turns.js';
import { type Exposition, emptyExposition } from '../formats/family.js';
import { Outcomes } from '../formats/relabel/outcome.js';
import { relabelParts } from '../formats/relabel/parts.js';

/** Relabeling blocks everybody else. What was worked out is remembered, so that the next pull gets further. */
const longestMs = 1000;

/**
 * What the source's rules make of what it gave, each label set worked out once. The labels of the gateway and those of the
 * source stay what they are. Throws `unavailable` when it takes too long.
 */
export function relabelerOf(
  { relabelConfigs, labels }: Pick<SourceSettings, 'relabelConfigs' | 'labels'>,
  metricsId: string,
): (exposition: Exposition) => Exposition {
  if (relabelConfigs.length === 0) return (exposition) => exposition;
  const outcomes = new Outcomes(
    { ...noRelabeling, relabelConfigs },
    { ours: [[instanceLabel, metricsId], ...labels], reservedPrefix: reservedMetricPrefix },
  );
  return (exposition) => {
    try {
      const work = relabelParts([{ exposition }], noRelabeling, outcomes);
      const { parts } = atOnce(within(longestMs, work, tooLong), systemClock);
      return parts[0]?.exposition ?? emptyExposition;
    } finally {
      outcomes.rest();
    }
  };
}

const tooLong = () =>
  new WeirError('unavailable', 'Relabeling takes too long; the rules of the source need simpler expressions.');
