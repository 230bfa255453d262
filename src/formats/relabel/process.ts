import { createHash } from 'node:crypto';
import type { RelabelConfig } from '../../domain/relabel.js';
import { compileRegex } from '../regex.js';
import { relabelDefaults } from './config.js';

/** A label set on its way through the rules; an empty value is no label. As Prometheus' `labels.Builder`, its order included. */
export interface LabelSet {
  get(name: string): string;
  set(name: string, value: string): void;
  /** Those there are now, whatever is changed meanwhile. */
  entries(): (readonly [name: string, value: string])[];
}

/** No series of ours has more; rules that double labels or values would have no end. */
const mostLabels = 256;
const longestValue = 16 * 1024;

/** What the rules made of a series has become too large. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

export class LabelBuilder implements LabelSet {
  private readonly base: ReadonlyMap<string, string>;
  private readonly removed = new Set<string>();
  private readonly added = new Map<string, string>();

  constructor(labels: readonly (readonly [string, string])[]) {
    const sorted = labels.filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1));
    this.base = new Map(sorted);
  }

  get(name: string): string {
    const added = this.added.get(name);
    if (added !== undefined) return added;
    return this.removed.has(name) ? '' : (this.base.get(name) ?? '');
  }

  set(name: string, value: string): void {
    if (value === '') {
      this.added.delete(name);
      this.removed.add(name);
      return;
    }
    if (value.length > longestValue || this.added.size > mostLabels) throw new TooLarge();
    this.added.set(name, value);
  }

  entries(): (readonly [string, string])[] {
    const stay = [...this.base].filter(([name]) => !this.removed.has(name) && !this.added.has(name));
    return [...stay, ...this.added];
  }
}

/** One rule: whether the series is kept. */
type Step = (labels: LabelSet) => boolean;

/**
 * Rules that were checked, as a function that changes a label set (the metric's name being `__name__`) and tells whether the
 * series is kept. As `Process` in Prometheus' `model/relabel`; `.` in its expressions stands for line breaks, too, as in
 * Prometheus 3.
 */
export function compileRelabeling(configs: readonly RelabelConfig[]): (labels: LabelSet) => boolean {
  const steps = configs.map(stepOf);
  return (labels) => steps.every((step) => step(labels));
}

function stepOf(config: RelabelConfig): Step {
  const {
    source_labels: sources = [],
    separator = relabelDefaults.separator,
    regex: source = relabelDefaults.regex,
    replacement = relabelDefaults.replacement,
    target_label: target = '',
    action = relabelDefaults.action,
  } = config;
  const regex = compileRegex(source, 'regex');
  const joined = (labels: LabelSet): string => sources.map((name) => labels.get(name)).join(separator);
  const sets = (value: (labels: LabelSet) => string): Step => {
    return (labels) => {
      labels.set(target, value(labels));
      return true;
    };
  };
  const each = (visit: (labels: LabelSet, name: string, value: string) => void): Step => {
    return (labels) => {
      for (const [name, value] of labels.entries()) visit(labels, name, value);
      return true;
    };
  };
  switch (action) {
    case 'drop':
      return (labels) => !regex.fits(joined(labels));
    case 'keep':
      return (labels) => regex.fits(joined(labels));
    case 'dropequal':
      return (labels) => labels.get(target) !== joined(labels);
    case 'keepequal':
      return (labels) => labels.get(target) === joined(labels);
    case 'lowercase':
      return sets((labels) => mapCase(joined(labels), (c) => c.toLowerCase()));
    case 'uppercase':
      return sets((labels) => mapCase(joined(labels), (c) => c.toUpperCase()));
    case 'hashmod': {
      const modulus = BigInt(config.modulus!);
      return sets((labels) => {
        const hash = createHash('md5').update(joined(labels)).digest();
        return String(hash.readBigUInt64BE(8) % modulus);
      });
    }
    case 'labelmap':
      return each((labels, name, value) => {
        const [mapped] = regex.expand(name, [replacement]) ?? [];
        if (mapped !== undefined) labels.set(mapped, value);
      });
    case 'labeldrop':
      return each((labels, name) => {
        if (regex.fits(name)) labels.set(name, '');
      });
    case 'labelkeep':
      return each((labels, name) => {
        if (!regex.fits(name)) labels.set(name, '');
      });
    case 'replace':
      if (source === relabelDefaults.regex && replacement === relabelDefaults.replacement && !target.includes('$')) {
        return sets(joined);
      }
      return (labels) => {
        const [name, value] = regex.expand(joined(labels), [target, replacement]) ?? [];
        if (name !== undefined && /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) labels.set(name, value!);
        return true;
      };
  }
}

/** Character by character, as Go does it: a sharp s stays one. */
function mapCase(text: string, map: (c: string) => string): string {
  let mapped = '';
  for (const c of text) {
    const other = map(c);
    mapped += other.length === c.length ? other : c;
  }
  return mapped;
}
