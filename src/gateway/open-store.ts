import { type Admin, adminOn, type LocalAdmin } from '../admin/admin.js';
import { EncryptionAdmin } from '../admin/encryption.js';
import { Envelope } from '../auth/envelope.js';
import { readKeys, readOrCreateKeys } from '../auth/key-file.js';
import { pepperFact, SecretHasher } from '../auth/secrets.js';
import { SigningKeys } from '../auth/signing-keys.js';
import type { Config } from '../config.js';
import { systemClock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Limits } from '../domain/limits.js';
import { Turns } from '../domain/turns.js';
import { parseNetworks } from '../net/addresses.js';
import { systemLookup } from '../net/egress.js';
import { parseProxy } from '../net/proxy.js';
import { cardinalityOf } from '../scrape/cardinality.js';
import { previewEndpoint, previewPage } from '../scrape/preview.js';
import type { SourceReach } from '../sources/connection.js';
import { probeSource } from '../sources/probe.js';
import { openSqliteStore } from '../storage/sqlite/store.js';
import type { Doer, Store } from '../storage/store.js';
import type { Reach } from '../streams/destinations/destination.js';
import { probe } from '../streams/probe.js';
import { ApiRequests } from '../telemetry/api-requests.js';
import type { Seams } from './seams.js';

/** No token lives longer: the longest lifetime that can be configured, and the leeway. */
export const tokensKeptMs = 3_600_000 + 60_000;

interface OpenStore {
  readonly store: Store;
  readonly hasher: SecretHasher;
  readonly keys: SigningKeys;
  readonly envelope: Envelope;
  readonly reach: Reach;
  /** What is counted of the gateway's own requests. */
  readonly apiRequests: ApiRequests;
  readonly sourceReach: SourceReach;
  /** For all that takes long, so that there is one slice of it in each turn. */
  readonly turns: Turns;
  /** Those of the configuration, when they have changed. */
  setLimits(limits: Limits): void;
  readonly admin: LocalAdmin;
  /** On somebody's behalf, with their name in the audit log. */
  adminFor(by: Doer): Admin;
}

type StoreMode = { exclusive: boolean; actor: string; onCommit?: (writes: number, seconds: number) => void };

/** Store, pepper and what may be done with them: all that a command needs, and the ground the gateway stands on. */
export async function openStore(
  config: Config,
  { clock, random, groupMemoryBytes, egress }: Pick<Seams, 'clock' | 'random' | 'groupMemoryBytes' | 'egress'>,
  mode: StoreMode,
): Promise<OpenStore> {
  const turns = new Turns(systemClock);
  const store = openSqliteStore({
    path: config.storage.path,
    turns,
    now: () => clock.now(),
    ...mode,
    ...(groupMemoryBytes === undefined ? {} : { groupMemoryBytes }),
  });
  try {
    const { pepperFile, encryptionKeysFile } = config.secrets;
    const isNew = (await store.facts.get(pepperFact)) === undefined;
    const hasher = new SecretHasher(readOrCreateKeys(pepperFile, 'pepper', random, isNew)[0]!);
    await hasher.confirm(store.facts, pepperFile);
    const hasNoKeys = (await store.keys.list()).length === 0;
    const envelope = new Envelope(
      readOrCreateKeys(encryptionKeysFile, 'encryption keys', random, hasNoKeys),
      random,
      () => readKeys(encryptionKeysFile, 'encryption keys'),
    );
    const signing = { envelope, now: () => clock.now(), keptMs: tokensKeptMs };
    const reach: Reach = {
      allowHttp: config.streams.allowHttp,
      allowedNetworks: parseNetworks(config.streams.allowedNetworks),
      proxy: config.streams.proxyUrl === undefined ? undefined : parseProxy(config.streams.proxyUrl),
      seams: egress ?? { lookup: systemLookup },
      now: () => clock.now(),
      agent: 'weir-metric-streams',
    };
    const apiRequests = new ApiRequests();
    let { limits } = config;
    const streams = {
      envelope,
      limits: () => limits,
      test: (target: Parameters<typeof probe>[0]) => probe(target, reach, clock),
      choice: async (projectId: string) => ({
        page: await previewPage(await store.endpoints.list(projectId), { groups: store.groups, clock, turns }),
        // Commands answer no requests.
        requests: mode.exclusive ? apiRequests.kinds(projectId) : undefined,
      }),
    };
    const sourceReach: SourceReach = {
      allowHttp: config.sources.allowHttp,
      allowedNetworks: parseNetworks(config.sources.allowedNetworks),
      seams: egress ?? { lookup: systemLookup },
    };
    const sources = {
      envelope,
      limits: () => limits,
      test: (target: Parameters<typeof probeSource>[0]) => probeSource(target, sourceReach, clock),
    };
    const look = (endpoint: MetricsEndpoint) => previewEndpoint(endpoint, { groups: store.groups, clock, turns });
    const weigh = (endpoints: readonly MetricsEndpoint[], top: number) =>
      cardinalityOf(endpoints, top, { groups: store.groups, turns });
    const tools = { clock, random, hasher, look, weigh, signing, streams, sources };
    return {
      store,
      hasher,
      envelope,
      reach,
      apiRequests,
      sourceReach,
      turns,
      setLimits: (next) => {
        limits = next;
      },
      keys: new SigningKeys({ ...signing, store: store.keys }),
      admin: {
        ...adminOn(store, tools),
        encryption: new EncryptionAdmin(store, envelope, random, encryptionKeysFile),
      },
      adminFor: (by) => adminOn(store.as(by), tools),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}
