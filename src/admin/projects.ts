import { randomUUID } from 'node:crypto';
import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import { WeirError } from '../domain/errors.js';
import { checkName, checkSuppliedId } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { CreationPlace, Stretch } from '../domain/page.js';
import type { Project } from '../domain/project.js';
import type { Cardinality } from '../scrape/cardinality.js';
import type { Expectation, Managed, ProjectChanges } from '../storage/store.js';

export const defaultTop = 10;
export const mostTop = 100;

export interface NewProject {
  readonly name: string;
  readonly id?: string | undefined;
  readonly limits?: Partial<Limits>;
}

/** What the endpoints hold: so many metrics, those with most series. */
export type WeighEndpoints = (endpoints: readonly MetricsEndpoint[], top: number) => Promise<Cardinality>;

/** What may be done to projects. Throws `WeirError` with a sentence for whoever asked. */
export class ProjectAdmin {
  private readonly store: Managed;
  private readonly clock: Clock;
  private readonly weigh: WeighEndpoints;

  constructor(store: Managed, clock: Clock, weigh: WeighEndpoints) {
    this.weigh = weigh;
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

  /** Which metrics, and which of their labels, make its series; throws `not_found`. */
  async cardinality(id: string, top = defaultTop): Promise<Cardinality> {
    if (!Number.isInteger(top) || top < 1 || top > mostTop) {
      throw new WeirError('invalid', `Ask for 1 to ${mostTop} metrics.`, { field: 'top' });
    }
    await this.get(id);
    return this.weigh(await this.store.endpoints.list(id), top);
  }

  /** With everything in it. */
  delete(id: string, expect?: Expectation<Project>): Promise<void> {
    return this.store.projects.delete(id, expect);
  }
}
