import { createHash } from 'node:crypto';

/** Some milliseconds that are always the same for a project, and far from those of one whose id is nearly the same. */
export function offsetOf(projectId: string): number {
  return createHash('sha256').update(projectId).digest().readUInt32BE(0);
}
