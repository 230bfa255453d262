import type { ClientChanges, NewClient, NewScrapeToken } from '../admin/clients.js';
import type { EndpointAdmin, NewEndpoint } from '../admin/endpoints.js';
import type { ProjectAdmin } from '../admin/projects.js';
import type { probeJson, SourceJson } from '../admin/source-shape.js';
import type { DeliveryFacts, StreamFacts } from '../admin/stream-shape.js';
import type { Client, ClientKey, ClientSecret, ScrapeToken } from '../domain/client.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import type { Project } from '../domain/project.js';
import type { Relabeling } from '../domain/relabel.js';
import type { SigningAlgorithm } from '../domain/signing.js';
import type { Attempt, DeliveryStatus, Estimate } from '../domain/stream.js';
import type { DailyUsage } from '../domain/usage.js';
import type { AccessFilter, AccessRecord, AuditEvent, Ban, EndpointChanges, StoredKey } from '../storage/store.js';

export type SourceTestJson = ReturnType<typeof probeJson>;

/** What commands see of the nouns: nothing that only the store knows. */
export type EndpointFacts = Omit<MetricsEndpoint, 'id' | 'version'>;
export type ClientFacts = Omit<Client, 'tokenGeneration'>;
export type SecretFacts = Omit<ClientSecret, 'mac' | 'clientId'>;
export type ScrapeTokenFacts = Omit<ScrapeToken, 'mac' | 'clientId'>;
export type ClientKeyFacts = Pick<ClientKey, 'kid' | 'createdAt'> & { readonly jwk: { readonly kty?: unknown } };
export type TestFacts = Omit<Attempt, 'at'> & { readonly delivered: boolean };
export type AccessFacts = Omit<AccessRecord, 'place'>;
export type CardinalityFacts = Awaited<ReturnType<ProjectAdmin['cardinality']>>;
/** What an endpoint would serve. */
export type Preview = Awaited<ReturnType<EndpointAdmin['preview']>>;
export type SigningKeyFacts = Pick<StoredKey, 'kid' | 'alg' | 'state' | 'createdAt'>;

/**
 * What commands do, wherever they do it: on the store (`Admin`), or through the API of a running server (`remote.ts`).
 * Neither of the two tells a command which it is.
 */
export interface Manager {
  readonly projects: {
    create(wanted: { name: string; id?: string | undefined }): Promise<Project>;
    list(): Promise<readonly Project[]>;
    get(id: string): Promise<Project>;
    setLimits(id: string, limits: Partial<Limits>): Promise<Project>;
    cardinality(id: string, top?: number): Promise<CardinalityFacts>;
    delete(id: string): Promise<void>;
  };
  readonly endpoints: {
    create(wanted: NewEndpoint): Promise<EndpointFacts>;
    list(projectId: string): Promise<readonly EndpointFacts[]>;
    get(projectId: string, metricsId: string): Promise<EndpointFacts>;
    set(projectId: string, metricsId: string, settings: EndpointChanges): Promise<EndpointFacts>;
    delete(projectId: string, metricsId: string): Promise<void>;
    preview(projectId: string, metricsId: string, relabeling?: Partial<Relabeling>): Promise<Preview>;
  };
  readonly clients: {
    create(wanted: NewClient): Promise<{ client: ClientFacts; secret: string }>;
    list(projectId?: string): Promise<readonly ClientFacts[]>;
    update(
      id: string,
      changes: Pick<ClientChanges, 'jwksUrl' | 'allowBasic' | 'scopes' | 'endpoints'>,
    ): Promise<ClientFacts>;
    disable(id: string): Promise<ClientFacts>;
    enable(id: string): Promise<ClientFacts>;
    delete(id: string): Promise<void>;
    rotate(id: string, overlapMs: number): Promise<{ secret: string; previousEndsAt: number | null }>;
    secrets(id: string): Promise<readonly SecretFacts[]>;
    revokeSecret(id: string, secretId: string): Promise<void>;
    revokeTokens(id: string): Promise<void>;
    addKeys(id: string, content: Buffer): Promise<readonly ClientKeyFacts[]>;
    keys(id: string): Promise<readonly ClientKeyFacts[]>;
    removeKey(id: string, kid: string): Promise<void>;
    createScrapeToken(id: string, wanted: NewScrapeToken): Promise<{ token: string; scrapeToken: ScrapeTokenFacts }>;
    scrapeTokens(id: string): Promise<readonly ScrapeTokenFacts[]>;
    revokeScrapeToken(id: string, tokenId: string): Promise<void>;
  };
  /** Bodies are those of the API. */
  readonly streams: {
    create(projectId: string, body: unknown): Promise<StreamFacts>;
    list(projectId?: string): Promise<readonly StreamFacts[]>;
    get(id: string): Promise<StreamFacts>;
    update(id: string, body: unknown): Promise<StreamFacts>;
    delete(id: string): Promise<void>;
    test(id: string): Promise<TestFacts>;
    testDestination(projectId: string, body: unknown): Promise<TestFacts>;
    estimate(projectId: string, bodies: unknown): Promise<readonly Estimate[]>;
    estimateOf(id: string): Promise<readonly Estimate[]>;
    /** Newest first. */
    deliveries(
      id: string,
      filter: { limit: number; status?: DeliveryStatus | undefined },
    ): Promise<readonly DeliveryFacts[]>;
    /** Milliseconds; gives how many. */
    redeliver(
      id: string,
      which: { id?: string | undefined; from?: number | undefined; to?: number | undefined },
    ): Promise<number>;
  };
  readonly sources: {
    /** Bodies and answers are those of the API. */
    create(projectId: string, body: object): Promise<SourceJson>;
    list(projectId?: string): Promise<readonly SourceJson[]>;
    get(id: string): Promise<SourceJson>;
    update(id: string, body: object): Promise<SourceJson>;
    delete(id: string): Promise<void>;
    test(id: string): Promise<SourceTestJson>;
    testNew(projectId: string, body: object): Promise<SourceTestJson>;
  };
  readonly keys: {
    list(): Promise<readonly SigningKeyFacts[]>;
    rotate(alg: SigningAlgorithm | undefined): Promise<readonly SigningKeyFacts[]>;
    retire(kid: string): Promise<readonly SigningKeyFacts[]>;
  };
  readonly usage: {
    /** Newest day first. Days are the moments they begin at, the first and the last to show. */
    list(filter: {
      projectId?: string | undefined;
      from?: number | undefined;
      to?: number | undefined;
      limit: number;
    }): Promise<readonly DailyUsage[]>;
  };
  readonly accessLog: {
    /** Newest first. */
    list(filter: AccessFilter & { limit: number }): Promise<readonly AccessFacts[]>;
  };
  readonly audit: {
    /** Newest first. */
    list(filter: { projectId?: string | undefined; limit: number }): Promise<readonly AuditEvent[]>;
  };
  readonly bans: {
    list(): Promise<readonly Ban[]>;
    lift(clientId: string, address?: string): Promise<number>;
  };
}
