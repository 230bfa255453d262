import type { DailyUsage } from '../domain/usage.js';
import type { Managed, UsageStore } from '../storage/store.js';
import type { ProjectAdmin } from './projects.js';

/** What may be asked of what projects used. It is counted where it happens, and a few seconds old. */
export class UsageAdmin {
  private readonly store: Managed;
  private readonly projects: ProjectAdmin;

  constructor(store: Managed, projects: ProjectAdmin) {
    this.store = store;
    this.projects = projects;
  }

  /** Newest day first, then by project. Throws `not_found` for a project that is not there. */
  async list(filter: Parameters<UsageStore['list']>[0]): Promise<DailyUsage[]> {
    if (filter.projectId !== undefined) await this.projects.get(filter.projectId);
    return this.store.usage.list(filter);
  }
}
