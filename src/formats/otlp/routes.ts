import type { OtlpRequest, ResourceMetrics } from './request.js';

/** What belongs to one endpoint of one project. Names are empty where the resource does not say, or says it twice. */
export interface Named {
  readonly project: string;
  readonly endpoint: string;
  readonly request: OtlpRequest;
}

/** Sorts resources by the attributes that say where they belong, and takes these off them. */
export function partsOfResources({ resources }: OtlpRequest, project: string, endpoint: string): Named[] {
  const parts = new Map<string, Named & { readonly request: { resources: ResourceMetrics[] } }>();
  for (const resource of resources) {
    const names = { project: onlyValue(resource, project), endpoint: onlyValue(resource, endpoint) };
    resource.attributes = resource.attributes.filter(([key]) => key !== project && key !== endpoint);
    const key = JSON.stringify(names);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, { ...names, request: { resources: [resource] } });
    else part.request.resources.push(resource);
  }
  return [...parts.values()];
}

function onlyValue({ attributes }: ResourceMetrics, name: string): string {
  const values = attributes.filter(([key]) => key === name);
  return values.length === 1 ? values[0]![1] : '';
}
