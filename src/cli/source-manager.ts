import type { LocalAdmin } from '../admin/admin.js';
import { probeJson, type SourceJson, sourceJson } from '../admin/source-shape.js';
import type { Manager, SourceTestJson } from './manager.js';
import { type RemoteApi, segment } from './remote-api.js';

/** What is done on the store, with sources in the shape of the API. */
export const localManager = (admin: LocalAdmin): Manager => ({ ...admin, sources: localSources(admin) });

function localSources({ sources }: LocalAdmin): Manager['sources'] {
  return {
    create: async (projectId, body) => sourceJson(await sources.create(projectId, body)),
    list: async (projectId) => (await sources.list(projectId)).map(sourceJson),
    get: async (id) => sourceJson(await sources.get(id)),
    update: async (id, body) => sourceJson(await sources.update(id, body)),
    delete: (id) => sources.delete(id),
    test: async (id) => probeJson(await sources.test(id)),
    testNew: async (projectId, body) => probeJson(await sources.testNew(projectId, body)),
  };
}

export function remoteSources(api: RemoteApi): Manager['sources'] {
  const at = (id: string): string => `/sources/${segment(id)}`;
  const of = (projectId: string, body: object) => ({ body: { project_id: projectId, ...body } });
  return {
    create: (projectId, body) => api.ask<SourceJson>('POST', '/sources', of(projectId, body)),
    list: (projectId) => api.all<SourceJson>('/sources', 'sources', { project_id: projectId }),
    get: (id) => api.ask<SourceJson>('GET', at(id)),
    update: (id, body) => api.ask<SourceJson>('PATCH', at(id), { body }),
    delete: (id) => api.ask('DELETE', at(id)),
    test: (id) => api.ask<SourceTestJson>('POST', `${at(id)}/test`),
    testNew: (projectId, body) => api.ask<SourceTestJson>('POST', '/sources/test', of(projectId, body)),
  };
}
