import type { MetricsEndpoint } from '../domain/endpoint.js';
import { type LiveProject, visibleTo } from '../storage/directory.js';
import type { PageTarget } from './pages.js';

const targets = new WeakMap<object, PageTarget>();

/** What of a project a client sees that is narrowed to these endpoints, or to none. */
export function projectTarget(project: LiveProject, client: Parameters<typeof visibleTo>[1]): PageTarget {
  const visible = visibleTo(project, client);
  return kept(visible, () => ({ key: projectKey(project, visible.key), endpoints: visible.endpoints }));
}

/** The page of all endpoints of the project, as a client that is not narrowed gets it. */
export function wholeProjectTarget(project: LiveProject): PageTarget {
  return kept(project, () => {
    const endpoints = [...project.endpoints.values()];
    return { key: projectKey(project, endpoints.map(({ id, version }) => `${id}.${version}`).join(',')), endpoints };
  });
}

export const endpointTarget = (endpoint: MetricsEndpoint): PageTarget =>
  kept(endpoint, () => ({ key: `endpoint ${endpoint.id}.${endpoint.version}`, endpoints: [endpoint] }));

const projectKey = ({ project }: LiveProject, endpoints: string): string => `project ${project.id} ${endpoints}`;

/** Kept beside what it is of, so that no key is built twice. */
function kept(owner: object, make: () => PageTarget): PageTarget {
  let target = targets.get(owner);
  if (target === undefined) {
    target = make();
    targets.set(owner, target);
  }
  return target;
}
