import { randomUUID } from 'node:crypto';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { checkName, checkSuppliedId } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { Project } from '../domain/project.js';
import type { Store } from '../storage/store.js';

/** What may be done to projects. Throws `WeirError` with a sentence for whoever asked. */
export class ProjectAdmin {
  private readonly store: Store;
  private readonly clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  async create({ name, id }: { name: string; id?: string | undefined }): Promise<Project> {
    const project: Project = {
      id: id === undefined ? randomUUID() : checkSuppliedId('project id', id),
      name: checkName('project', name),
      createdAt: this.clock.now(),
      limits: {},
    };
    await this.store.projects.create(project);
    return project;
  }

  list(): Promise<Project[]> {
    return this.store.projects.list();
  }

  async get(id: string): Promise<Project> {
    const project = await this.store.projects.get(id);
    if (project === undefined) throw new WeirError('not_found', `There is no project "${id}".`);
    return project;
  }

  setLimits(id: string, limits: Partial<Limits>): Promise<Project> {
    return this.store.projects.setLimits(id, limits);
  }

  /** With everything in it. */
  delete(id: string): Promise<void> {
    return this.store.projects.delete(id);
  }
}
