import type { Relabeling } from '../../domain/relabel.js';
import { escapeLabelValue, readLabels, seriesIdentity } from '../syntax.js';
import { compileRelabeling, LabelBuilder, TooLarge } from './process.js';

/** What becomes of a series. Values have no part in it, so that it is found out once for each label set. */
export type Outcome = Served | { readonly kind: 'rule' | 'invalid' };

export const isServed = (outcome: Outcome): outcome is Served => 'series' in outcome;

export interface Served {
  readonly kind: 'same' | 'changed';
  /** Of the sample. */
  readonly name: string;
  /** The label set in canonical form. */
  readonly series: string;
  /** Whether `le` and `quantile` are what they were. */
  readonly bound: boolean;
}

/** The labels that every series must have in the end, whatever the rules say, and the names that none may take. */
export interface OutcomeOptions {
  readonly ours: readonly (readonly [name: string, value: string])[];
  readonly reservedPrefix: string;
}

const byRule: Outcome = { kind: 'rule' };
const invalid: Outcome = { kind: 'invalid' };
const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** As many label sets are remembered; what comes beyond is worked out each time. */
const mostRemembered = 50_000;

/** Works out what the rules make of a series, and remembers it. */
export class Outcomes {
  private readonly rules: Relabeling;
  private readonly options: OutcomeOptions;
  private readonly known = new Map<string, Outcome>();
  private compiled: ReturnType<typeof compileRelabeling> | undefined;

  constructor(rules: Relabeling, options: OutcomeOptions) {
    this.rules = rules;
    this.options = options;
  }

  /** How many are remembered. */
  get size(): number {
    return this.known.size;
  }

  /** What `series`, a label set in canonical form, becomes. */
  of(series: string): Outcome {
    let outcome = this.known.get(series);
    if (outcome === undefined) {
      outcome = this.workOut(series);
      if (this.known.size < mostRemembered) this.known.set(series, outcome);
    }
    return outcome;
  }

  /** Forgets what is quickly made again and may weigh much: the machines of the regular expressions. */
  rest(): void {
    this.compiled = undefined;
  }

  private workOut(series: string): Outcome {
    const { relabelConfigs, droppedLabels } = this.rules;
    const brace = series.indexOf('{');
    const name = series.slice(0, brace);
    const before = readLabels(series.slice(brace + 1, -1));
    const labels = new LabelBuilder([...before, ['__name__', name]]);
    try {
      this.compiled ??= compileRelabeling(relabelConfigs);
      if (!this.compiled(labels)) return byRule;
    } catch (error) {
      if (error instanceof TooLarge) return invalid;
      throw error;
    }
    for (const dropped of droppedLabels) labels.set(dropped, '');
    for (const [ourName, value] of this.options.ours) labels.set(ourName, value);
    return this.outcomeOf(series, name, before, labels);
  }

  private outcomeOf(
    series: string,
    name: string,
    before: readonly (readonly [string, string])[],
    labels: LabelBuilder,
  ): Outcome {
    const { ours, reservedPrefix } = this.options;
    const left = new Map(labels.entries());
    const newName = left.get('__name__') ?? '';
    left.delete('__name__');
    const given = before.filter(([, value]) => value !== '');
    const isSame = newName === name && left.size === given.length && given.every(([n, value]) => left.get(n) === value);
    if (isSame) return { kind: 'same', name, series, bound: true };
    if (!metricName.test(newName) || newName.startsWith(reservedPrefix)) return invalid;
    for (const label of left.keys()) if (!labelName.test(label)) return invalid;
    const bounds = ['le', 'quantile'].map((bound) => given.find(([n]) => n === bound)?.[1] === left.get(bound));
    for (const [ourName] of ours) left.delete(ourName);
    const pairs = [...left, ...ours].map(([n, value]) => `${n}="${escapeLabelValue(value)}"`);
    return { kind: 'changed', name: newName, series: `${newName}{${pairs.join(',')}}`, bound: bounds.every(Boolean) };
  }
}

/** See `seriesIdentity`. */
export const identityOf = (series: string): string => seriesIdentity(Buffer.from(series), 0);
