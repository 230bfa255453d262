import { randomUUID } from 'node:crypto';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { checkName, checkSuppliedId } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { CreationPlace, Stretch } from '../domain/page.js';
import type { Project } from '../domain/project.js';
import type { Expectation, Managed, ProjectChanges } from '../storage/store.js';

export interface NewProject {
  readonly name: string;
  readonly id?: string | undefined;
  readonly limits?: Partial<Limits>;
}

/** What may be done to projects. Throws `WeirError` with a sentence for whoever asked. */
export class ProjectAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;

  constructor(store: Managed, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  async create({ name, id, limits = {} }: NewProject): Promise<Project> {
    const project: Project = {
      id: id === undefined ? randomUUID() : checkSuppliedId('project id', id),
      name: checkName('project', name),
      createdAt: this.clock.now(),
      limits,
    };
    await this.store.projects.create(project);
    return project;
  }

  /** Oldest first. */
  list(stretch?: Stretch<CreationPlace>): Promise<Project[]> {
    return this.store.projects.list(stretch);
  }

  async get(id: string): Promise<Project> {
    const project = await this.store.projects.get(id);
    if (project === undefined) throw new WeirError('not_found', `There is no project "${id}".`);
    return project;
  }

  setLimits(id: string, limits: Partial<Limits>): Promise<Project> {
    return this.store.projects.update(id, { limits });
  }

  update(id: string, changes: ProjectChanges, expect?: Expectation<Project>): Promise<Project> {
    const { name, limits } = changes;
    if (name === undefined && limits === undefined) {
      throw new WeirError('invalid', 'Nothing to set; give a name or limits.');
    }
    const checked = name === undefined ? changes : { ...changes, name: checkName('project', name) };
    return this.store.projects.update(id, checked, expect);
  }

  /** With everything in it. */
  delete(id: string, expect?: Expectation<Project>): Promise<void> {
    return this.store.projects.delete(id, expect);
  }
}
