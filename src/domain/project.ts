import type { Limits } from './limits.js';

/** A customer of the vendor: the unit of isolation, limits and usage. */
export interface Project {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  /** Only what differs from the operator's configuration. */
  readonly limits: Partial<Limits>;
}
