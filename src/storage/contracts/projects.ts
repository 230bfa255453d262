import type { MetricsEndpoint } from '../../domain/endpoint.js';
import type { EndpointLimitChanges } from '../../domain/endpoint-limits.js';
import type { Limits } from '../../domain/limits.js';
import type { CreationPlace, Stretch } from '../../domain/page.js';
import type { Project } from '../../domain/project.js';
import type { Relabeling } from '../../domain/relabel.js';
import type { Expectation } from './writes.js';

export interface ProjectStore {
  /** Throws `conflict` when the id is taken. */
  create(project: Project): Promise<void>;
  /** Oldest first. */
  list(stretch?: Stretch<CreationPlace>): Promise<Project[]>;
  get(id: string): Promise<Project | undefined>;
  /** Sets what is given and leaves the rest; throws `not_found`. */
  update(id: string, changes: ProjectChanges, expect?: Expectation<Project>): Promise<Project>;
  /** With its endpoints, clients and groups; throws `not_found`. */
  delete(id: string, expect?: Expectation<Project>): Promise<void>;
}

export interface ProjectChanges {
  readonly name?: string | undefined;
  /** null takes a limit back to that of the configuration. */
  readonly limits?: { readonly [name in keyof Limits]?: number | null | undefined } | undefined;
}

export type EndpointSettings = Pick<
  MetricsEndpoint,
  'name' | 'lifetimeMs' | 'timestamps' | 'metadata' | 'limits' | keyof Relabeling
>;

/** Of limits, those that are given are changed. */
export type EndpointChanges = Partial<Omit<EndpointSettings, 'limits'>> & { readonly limits?: EndpointLimitChanges };

export interface EndpointStore {
  /** Throws `not_found` without the project and `conflict` when the metricsId is taken in it. */
  create(endpoint: Omit<MetricsEndpoint, 'id' | 'version'>): Promise<MetricsEndpoint>;
  /** Oldest first. */
  list(projectId: string, stretch?: Stretch<readonly [createdAt: number, id: number]>): Promise<MetricsEndpoint[]>;
  /** A new lifetime also moves the end of the groups that live; those that ended stay ended. Throws `not_found`. */
  update(
    projectId: string,
    metricsId: string,
    changes: EndpointChanges,
    expect?: Expectation<MetricsEndpoint>,
  ): Promise<MetricsEndpoint>;
  /** With its groups; throws `not_found`. */
  delete(projectId: string, metricsId: string, expect?: Expectation<MetricsEndpoint>): Promise<void>;
}
