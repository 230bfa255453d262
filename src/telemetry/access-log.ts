import {
  type AccessEntry,
  type AccessPlace,
  accessEntriesKept,
  accessRingsInAll,
  accessRingsPerProject,
} from '../domain/access.js';

export interface AccessBatch extends AccessPlace {
  /** In the order in which they happened. */
  readonly entries: readonly AccessEntry[];
}

interface Pending extends AccessPlace {
  entries: AccessEntry[];
}

/** Places written in one go, which takes about as long as a slice of a page. Fewer would write the pages they share more often. */
const mostAtOnce = 10;

/**
 * The newest scrapes and token requests of each client and endpoint that are not written yet. What has no room is left
 * out: memory is bounded for each project and for all of them.
 */
export class AccessLog {
  private readonly pending = new Map<string, Pending>();
  private readonly ofProject = new Map<string, number>();

  note(place: AccessPlace, entry: AccessEntry): void {
    this.noteAs(accessKey(place), place, entry);
  }

  /** The same for who keeps the key. */
  noteAs(key: string, place: AccessPlace, entry: AccessEntry): void {
    const known = this.pending.get(key);
    if (known === undefined) {
      this.open(key, place, [entry]);
      return;
    }
    known.entries.push(entry);
    if (known.entries.length > accessEntriesKept) known.entries.shift();
  }

  /** Hands over what has waited longest; what `save` rejects waits on. Gives whether there is more. */
  async write(save: (batches: readonly AccessBatch[]) => Promise<void>): Promise<boolean> {
    const taken: [key: string, place: Pending][] = [];
    for (const one of this.pending) {
      taken.push(one);
      if (taken.length === mostAtOnce) break;
    }
    if (taken.length === 0) return false;
    for (const [key, { projectId }] of taken) {
      this.pending.delete(key);
      const left = this.ofProject.get(projectId)! - 1;
      if (left === 0) this.ofProject.delete(projectId);
      else this.ofProject.set(projectId, left);
    }
    try {
      await save(taken.map(([, place]) => place));
    } catch (error) {
      for (const [key, place] of taken) {
        const newer = this.pending.get(key);
        if (newer === undefined) this.open(key, place, place.entries);
        else newer.entries = [...place.entries, ...newer.entries].slice(-accessEntriesKept);
      }
      throw error;
    }
    return this.pending.size > 0;
  }

  private open(key: string, { projectId, clientId, ring }: AccessPlace, entries: AccessEntry[]): void {
    const places = this.ofProject.get(projectId) ?? 0;
    if (places >= accessRingsPerProject || this.pending.size >= accessRingsInAll) return;
    this.ofProject.set(projectId, places + 1);
    this.pending.set(key, { projectId, clientId, ring, entries });
  }
}

export const accessKey = ({ projectId, clientId, ring }: AccessPlace): string => `${projectId}\n${clientId}\n${ring}`;
