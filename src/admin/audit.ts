import type { Stretch } from '../domain/page.js';
import type { AuditFilter, AuditRecord, Managed } from '../storage/store.js';

/** What may be asked of the audit log. It is written by storage, with each change. */
export class AuditAdmin {
  private readonly store: Managed;

  constructor(store: Managed) {
    this.store = store;
  }

  /** Newest first. */
  list(filter: AuditFilter & Stretch<number>): Promise<AuditRecord[]> {
    return this.store.audit.list(filter);
  }
}
