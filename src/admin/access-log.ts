import type { AccessLogStore, AccessRecord, Managed } from '../storage/store.js';
import type { ProjectAdmin } from './projects.js';

/** What may be asked of who scraped, and what came of it. It is noted where it happens, and some seconds old. */
export class AccessLogAdmin {
  private readonly store: Managed;
  private readonly projects: ProjectAdmin;

  constructor(store: Managed, projects: ProjectAdmin) {
    this.store = store;
    this.projects = projects;
  }

  /** Newest first. Throws `not_found` for a project that is not there. */
  async list(filter: Parameters<AccessLogStore['list']>[0]): Promise<AccessRecord[]> {
    if (filter.projectId !== undefined) await this.projects.get(filter.projectId);
    return this.store.accessLog.list(filter);
  }
}
