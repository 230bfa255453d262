import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LimitsAt, limitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import type { RoutingSettings, UnroutedReason } from '../domain/routing.js';
import type { Part } from '../formats/routes.js';
import type { Directory } from '../storage/directory.js';
import type { Doer } from '../storage/store.js';

export interface Target {
  readonly endpoint: MetricsEndpoint;
  readonly limits: LimitsAt;
}

/** Why there is none, for the operator who wrote. */
export interface NoTarget {
  readonly reason: UnroutedReason;
  readonly sentence: string;
}

export interface RouterOptions {
  readonly directory: Directory;
  /** Changes with a reload. */
  readonly settings: () => RoutingSettings;
  /** Creates what is not there of the two, in the name of who wrote. */
  readonly create: (projectId: string, metricsId: string, by: Doer) => Promise<void>;
}

/** One request creates no more endpoints than this; each costs a commit. The next request creates others. */
const mostCreated = 100;

/** Finds the endpoints that a stream for all customers names. */
export class Router {
  private readonly options: RouterOptions;

  constructor(options: RouterOptions) {
    this.options = options;
  }

  get settings(): RoutingSettings {
    return this.options.settings();
  }

  /** For one request: finds endpoints, and counts what it creates. */
  begin(by: Doer): (part: Omit<Part, 'batch'>) => Promise<Target | NoTarget> {
    let created = 0;
    return async ({ project: projectId, endpoint: metricsId, namedBy }) => {
      const { directory, settings, create } = this.options;
      if (projectId === '' || metricsId === '') return missing(settings(), namedBy);
      const find = async (): Promise<Target | undefined> => {
        const project = directory.peekProject(projectId) ?? (await directory.project(projectId));
        const endpoint = project?.endpoints.get(metricsId);
        return endpoint && { endpoint, limits: limitsAt(project!.limits, endpoint.limits) };
      };
      const known = await find();
      if (known !== undefined) return known;
      // What is remembered may be older than what another process has created.
      await directory.sync();
      const found = await find();
      if (found !== undefined) return found;
      if (settings().unknown === 'refuse') return unknown(projectId, metricsId);
      if (created++ >= mostCreated) {
        return unknown(projectId, metricsId, `one request creates ${mostCreated} endpoints at most`);
      }
      try {
        await create(projectId, metricsId, by);
      } catch (error) {
        if (!(error instanceof WeirError) || error.code === 'unavailable') throw error;
        return unknown(projectId, metricsId, error.message);
      }
      await directory.sync();
      return (await find()) ?? unknown(projectId, metricsId);
    };
  }
}

function missing(settings: RoutingSettings, namedBy: Part['namedBy']): NoTarget {
  const [project, endpoint] =
    namedBy === 'attributes'
      ? [settings.projectAttribute, settings.endpointAttribute]
      : [settings.projectLabel, settings.endpointLabel];
  const where = namedBy === 'attributes' ? 'in the resource attributes' : 'in';
  return {
    reason: 'missing',
    sentence: `they do not say ${where} "${project}" and "${endpoint}", once each, where they belong`,
  };
}

const unknown = (projectId: string, metricsId: string, why?: string): NoTarget => ({
  reason: 'unknown',
  sentence:
    why === undefined
      ? `there is no endpoint "${printable(metricsId)}" in a project "${printable(projectId)}"`
      : `"${printable(projectId)}/${printable(metricsId)}" could not be created: ${why}`,
});
