import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

type Labels = Readonly<Record<string, string>>;

export interface RelabelCase {
  readonly name: string;
  /** Where Prometheus 2 does otherwise. */
  readonly here?: 'only';
  readonly rules: readonly unknown[];
  readonly before: Labels;
  /** null: the series is dropped. */
  readonly after: Labels | null;
}

export const relabelCases = parse(readFileSync('test/support/relabel-cases.yaml', 'utf8')) as readonly RelabelCase[];
