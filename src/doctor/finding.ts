import type { Advice } from '../domain/access-advice.js';

/** What a step of the path is like. A step is skipped when an earlier one did not lead to it. */
export type Status = 'ok' | 'warning' | 'problem' | 'skipped';

export interface Finding {
  readonly check: string;
  readonly status: Status;
  /** What was seen, in one sentence or less. */
  readonly found: string;
  /** Why that is, and what to do; there for warnings and problems. */
  readonly cause?: string;
  readonly cure?: string;
  /** Where the gateway says more about the error it answered with. */
  readonly link?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, status: 'ok', found });

export const skipped = (check: string, found: string): Finding => ({ check, status: 'skipped', found });

export const warning = (check: string, found: string, advice: Advice): Finding => ({
  check,
  status: 'warning',
  found,
  ...advice,
});

export const problem = (check: string, found: string, advice: Advice): Finding => ({
  check,
  status: 'problem',
  found,
  ...advice,
});

/** With the link that came with the error, if it is one. */
export const linked = (finding: Finding, link: unknown): Finding =>
  typeof link === 'string' && /^https?:\/\//.test(link) && URL.canParse(link) ? { ...finding, link } : finding;
