import { formatDuration, parseDuration } from '../domain/duration.js';
import type { EndpointLimits } from '../domain/endpoint-limits.js';
import type { Limits } from '../domain/limits.js';
import type { Project } from '../domain/project.js';
import type { RelabelConfig, Relabeling } from '../domain/relabel.js';
import { type DailyUsage, dayText } from '../domain/usage.js';
import type { AuditEvent, Ban, EndpointChanges } from '../storage/store.js';
import type { AccessFacts, CardinalityFacts, EndpointFacts, Manager, Preview, SigningKeyFacts } from './manager.js';
import { type RemoteApi, segment } from './remote-api.js';
import { remoteClients } from './remote-clients.js';
import { remoteStreams } from './remote-streams.js';
import { remoteSources } from './source-manager.js';

/** The same as on the store, asked of a running server. */
export const remoteManager = (api: RemoteApi): Manager => ({
  projects: remoteProjects(api),
  endpoints: remoteEndpoints(api),
  clients: remoteClients(api),
  streams: remoteStreams(api),
  sources: remoteSources(api),
  keys: remoteKeys(api),
  usage: remoteUsage(api),
  accessLog: remoteAccessLog(api),
  audit: remoteAudit(api),
  bans: remoteBans(api),
});

interface ProjectJson {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly limits: Partial<Limits>;
}
const toProject = ({ id, name, created_at, limits }: ProjectJson): Project => ({
  id,
  name,
  createdAt: Date.parse(created_at),
  limits,
});

function remoteProjects(api: RemoteApi): Manager['projects'] {
  const at = (id: string): string => `/projects/${segment(id)}`;
  return {
    create: async ({ name, id }) => toProject(await api.ask('POST', '/projects', { body: { name, id } })),
    list: async () => (await api.all<ProjectJson>('/projects', 'projects')).map(toProject),
    get: async (id) => toProject(await api.ask('GET', at(id))),
    setLimits: async (id, limits) => toProject(await api.ask('PATCH', at(id), { body: { limits } })),
    cardinality: async (id, top) => {
      const query = { top: top === undefined ? undefined : String(top) };
      const json = await api.ask<CardinalityJson>('GET', `${at(id)}/cardinality`, { query });
      const { metric_count, endpoints, ...found } = json;
      const named = endpoints.map(({ metrics_id, ...of }) => ({ metricsId: metrics_id, ...of }));
      return { ...found, metricCount: metric_count, endpoints: named };
    },
    delete: (id) => api.ask('DELETE', at(id)),
  };
}

type CardinalityJson = Omit<CardinalityFacts, 'metricCount' | 'endpoints'> & {
  readonly metric_count: number;
  readonly endpoints: readonly { metrics_id: string; series: number; limits: EndpointLimits }[];
};

interface EndpointJson {
  readonly project_id: string;
  readonly metrics_id: string;
  readonly name: string;
  readonly lifetime: string;
  readonly timestamps: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly limits: EndpointLimits;
  readonly dropped_metrics: readonly string[];
  readonly metric_relabel_configs: readonly RelabelConfig[];
  readonly dropped_labels: readonly string[];
  readonly created_at: string;
}
const toEndpoint = (json: EndpointJson): EndpointFacts => ({
  projectId: json.project_id,
  metricsId: json.metrics_id,
  name: json.name,
  lifetimeMs: parseDuration(json.lifetime),
  timestamps: json.timestamps,
  metadata: json.metadata,
  limits: json.limits,
  droppedMetrics: json.dropped_metrics,
  relabelConfigs: json.metric_relabel_configs,
  droppedLabels: json.dropped_labels,
  createdAt: Date.parse(json.created_at),
});
const relabeling = ({ droppedMetrics, relabelConfigs, droppedLabels }: Partial<Relabeling>) => ({
  dropped_metrics: droppedMetrics,
  metric_relabel_configs: relabelConfigs,
  dropped_labels: droppedLabels,
});
const settings = ({ name, lifetimeMs, timestamps, metadata, limits, ...rules }: EndpointChanges) => ({
  name,
  lifetime: lifetimeMs === undefined ? undefined : formatDuration(lifetimeMs),
  timestamps,
  metadata,
  limits,
  ...relabeling(rules),
});

function remoteEndpoints(api: RemoteApi): Manager['endpoints'] {
  const of = (projectId: string): string => `/projects/${segment(projectId)}/endpoints`;
  const at = (projectId: string, metricsId: string): string => `${of(projectId)}/${segment(metricsId)}`;
  return {
    create: async ({ projectId, metricsId, ...wanted }) => {
      const body = { ...settings(wanted), metrics_id: metricsId };
      return toEndpoint(await api.ask('POST', of(projectId), { body }));
    },
    list: async (projectId) => (await api.all<EndpointJson>(of(projectId), 'endpoints')).map(toEndpoint),
    get: async (projectId, metricsId) => toEndpoint(await api.ask('GET', at(projectId, metricsId))),
    set: async (projectId, metricsId, changes) =>
      toEndpoint(await api.ask('PATCH', at(projectId, metricsId), { body: settings(changes) })),
    delete: (projectId, metricsId) => api.ask('DELETE', at(projectId, metricsId)),
    preview: async (projectId, metricsId, rules = {}) => {
      const path = `${at(projectId, metricsId)}/preview`;
      const { left_out, ...found } = await api.ask<PreviewJson>('POST', path, { body: relabeling(rules) });
      return { ...found, leftOut: left_out };
    },
  };
}

type PreviewJson = Omit<Preview, 'leftOut'> & { readonly left_out: Preview['leftOut'] };

interface KeysJson {
  readonly signing_keys: readonly (Omit<SigningKeyFacts, 'createdAt'> & { readonly created_at: string })[];
}
const toKeys = ({ signing_keys }: KeysJson): SigningKeyFacts[] =>
  signing_keys.map(({ kid, alg, state, created_at }) => ({ kid, alg, state, createdAt: Date.parse(created_at) }));

function remoteKeys(api: RemoteApi): Manager['keys'] {
  return {
    list: async () => toKeys(await api.ask('GET', '/signing-keys')),
    rotate: async (alg) => toKeys(await api.ask('POST', '/signing-keys/rotate', { body: { alg } })),
    retire: async (kid) => toKeys(await api.ask('POST', `/signing-keys/${segment(kid)}/retire`)),
  };
}

interface UsageJson {
  readonly project_id: string;
  readonly day: string;
  readonly scrapes: number;
  readonly bytes_served: number;
  readonly samples_in: number;
  readonly points_streamed: number;
  readonly tokens_issued: number;
}
const toUsage = (json: UsageJson): DailyUsage => ({
  projectId: json.project_id,
  day: Date.parse(json.day),
  scrapes: json.scrapes,
  bytesServed: json.bytes_served,
  samplesIn: json.samples_in,
  pointsStreamed: json.points_streamed,
  tokensIssued: json.tokens_issued,
});

function remoteUsage(api: RemoteApi): Manager['usage'] {
  const text = (day: number | undefined): string | undefined => (day === undefined ? undefined : dayText(day));
  return {
    list: async ({ projectId, from, to, limit }) => {
      const query = { project_id: projectId, from: text(from), to: text(to) };
      return (await api.all<UsageJson>('/usage', 'usage', query, limit)).map(toUsage);
    },
  };
}

interface AccessJson
  extends Pick<AccessFacts, 'proved' | 'operation' | 'status' | 'reason' | 'format' | 'bytes' | 'address'> {
  readonly at: string;
  readonly project_id: string;
  readonly client_id: string;
  readonly endpoint_id: string | null;
  readonly duration_ms: number;
  readonly interval_ms: number | null;
  readonly user_agent: string | null;
}

function remoteAccessLog(api: RemoteApi): Manager['accessLog'] {
  return {
    list: async ({ projectId, clientId, endpointId, limit }) => {
      const query = { project_id: projectId, client_id: clientId, endpoint_id: endpointId };
      const found = await api.all<AccessJson>('/access-log', 'access_log', query, limit);
      return found.map(
        ({ at, project_id, client_id, endpoint_id, duration_ms, interval_ms, user_agent, ...same }): AccessFacts => ({
          ...same,
          at: Date.parse(at),
          projectId: project_id,
          clientId: client_id,
          endpointId: endpoint_id,
          durationMs: duration_ms,
          intervalMs: interval_ms,
          agent: user_agent,
        }),
      );
    },
  };
}

type AuditJson = Omit<AuditEvent, 'at' | 'projectId'> & { readonly at: string; readonly project_id: string | null };

function remoteAudit(api: RemoteApi): Manager['audit'] {
  return {
    list: async ({ projectId, limit }) => {
      const found = await api.all<AuditJson>('/audit-events', 'audit_events', { project_id: projectId }, limit);
      return found.map(({ at, project_id, ...event }) => ({ ...event, at: Date.parse(at), projectId: project_id }));
    },
  };
}

interface BanJson {
  readonly client_id: string;
  readonly address: string;
  readonly created_at: string;
  readonly ends_at: string;
}
const toBan = ({ client_id, address, created_at, ends_at }: BanJson): Ban => ({
  clientId: client_id,
  address,
  createdAt: Date.parse(created_at),
  endsAt: Date.parse(ends_at),
});

function remoteBans(api: RemoteApi): Manager['bans'] {
  return {
    list: async () => (await api.all<BanJson>('/bans', 'bans')).map(toBan),
    lift: async (clientId, address) => {
      const { lifted } = await api.ask<{ lifted: number }>('DELETE', `/bans/${segment(clientId)}`, {
        query: { address },
      });
      return lifted;
    },
  };
}
