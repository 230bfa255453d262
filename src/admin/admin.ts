import type { Envelope } from '../auth/envelope.js';
import type { SecretHasher } from '../auth/secrets.js';
import { SigningKeys, type SigningKeysOptions } from '../auth/signing-keys.js';
import type { Clock } from '../domain/clock.js';
import type { RandomBytes } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { Managed } from '../storage/store.js';
import { AccessLogAdmin } from './access-log.js';
import { AuditAdmin } from './audit.js';
import { BanAdmin } from './bans.js';
import { ClientAdmin } from './clients.js';
import type { EncryptionAdmin } from './encryption.js';
import { EndpointAdmin, type LookAtEndpoint } from './endpoints.js';
import { KeyAdmin } from './keys.js';
import { ProjectAdmin, type WeighEndpoints } from './projects.js';
import { SourceAdmin, type SourceTest } from './sources.js';
import { StreamAdmin, type StreamAdminOptions } from './streams.js';
import { UsageAdmin } from './usage.js';

/** What may be done to each noun. */
export interface Admin {
  readonly projects: ProjectAdmin;
  readonly endpoints: EndpointAdmin;
  readonly clients: ClientAdmin;
  readonly keys: KeyAdmin;
  readonly audit: AuditAdmin;
  readonly bans: BanAdmin;
  readonly streams: StreamAdmin;
  readonly usage: UsageAdmin;
  readonly sources: SourceAdmin;
  readonly accessLog: AccessLogAdmin;
}

/** With what only those can do who have the gateway's files. */
export interface LocalAdmin extends Admin {
  readonly encryption: EncryptionAdmin;
}

export interface AdminTools {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly hasher: SecretHasher;
  readonly look: LookAtEndpoint;
  readonly weigh: WeighEndpoints;
  readonly signing: Omit<SigningKeysOptions, 'store'>;
  readonly streams: Pick<StreamAdminOptions, 'envelope' | 'limits' | 'test' | 'choice'>;
  readonly sources: { readonly envelope: Envelope; readonly limits: () => Limits; readonly test: SourceTest };
}

/** The store as it is used on somebody's behalf. */
export function adminOn(
  store: Managed,
  { clock, random, hasher, look, weigh, signing, streams, sources }: AdminTools,
): Admin {
  const projects = new ProjectAdmin(store, clock, weigh);
  return {
    projects,
    endpoints: new EndpointAdmin(store, clock, random, look),
    clients: new ClientAdmin(store, clock, random, hasher),
    keys: new KeyAdmin(new SigningKeys({ ...signing, store: store.keys })),
    audit: new AuditAdmin(store),
    bans: new BanAdmin(store, clock),
    streams: new StreamAdmin({ ...streams, store, clock, random }),
    usage: new UsageAdmin(store, projects),
    sources: new SourceAdmin({ ...sources, store, clock, random }),
    accessLog: new AccessLogAdmin(store, projects),
  };
}
