import type { Advice } from '../../domain/access-advice.js';

/** What an error means to whoever meets it. */
export interface ErrorEntry {
  readonly means: string;
  /** What tools show for it, word for word as docs/troubleshooting.md has it, where it was tried. */
  readonly seen?: Partial<Readonly<Record<'Prometheus' | 'vmagent' | 'Datadog', string>>>;
  readonly causes: readonly Advice[];
}

/** For requests that are malformed. */
export const compareWithSnippet =
  'Compare with what "weir snippet" prints for the tool; the sentence of the answer names the fault.';
