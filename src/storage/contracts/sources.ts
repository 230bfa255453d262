import type { Source, SourceCondition, SourceSettings } from '../../domain/source.js';

export interface StoredSource {
  readonly source: Source;
  /** Encrypted. */
  readonly secrets: Buffer;
}

/** What may be changed about a source. `secrets` is encrypted. */
export type SourceChange = Partial<SourceSettings> & { readonly secrets?: Buffer };

export interface SourceStore {
  /** Throws `not_found` without the endpoint and `conflict` when it has a source of that name. */
  create(
    source: Omit<Source, keyof SourceCondition | 'endpointId' | 'version' | 'updatedAt'>,
    secrets: Buffer,
  ): Promise<Source>;
  /** Of one project or of all, oldest first. */
  list(projectId: string | undefined): Promise<Source[]>;
  get(id: string): Promise<StoredSource | undefined>;
  /**
   * Changes what `change` makes of the source as it is, in one transaction; its health is then `pending`. Throws
   * `not_found`, `conflict` as above, and what `change` throws.
   */
  update(id: string, change: (stored: StoredSource) => SourceChange): Promise<Source>;
  /** With the series that came from it. Throws `not_found`. */
  delete(id: string): Promise<void>;
  /** What pulls with the settings of this version have shown. That its guard has tripped is written to the audit log. */
  noteCondition(id: string, version: number, condition: SourceCondition): Promise<void>;
}
