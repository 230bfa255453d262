import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';
import { type Listening, startListening } from './listening.js';
import { freePort, type Programs, type RunningProgram } from './programs.js';
import { PrometheusProcess } from './prometheus-process.js';

/** A stock Mimir, all of it in one process, with tenants; a Prometheus scrapes and writes to it. */
export class MimirProcess {
  /** Where its query API is. */
  readonly url: string;
  private readonly running: RunningProgram;

  private constructor({ url, running }: Listening) {
    this.url = `${url}/prometheus`;
    this.running = running;
  }

  /** `config` is the Prometheus', which writes as `tenant`. */
  static async start(program: string, programs: Programs, config: string, tenant: string): Promise<MimirProcess> {
    const grpcPort = await freePort();
    const mimir = await startListening(programs, {
      name: 'mimir',
      program,
      config: stringify(alone),
      flags: ({ address, configFile, storageFolder }) => [
        `-config.file=${configFile}`,
        `-server.http-listen-port=${address.split(':')[1]}`,
        `-server.grpc-listen-port=${grpcPort}`,
        `-activity-tracker.filepath=${storageFolder}-activity`,
        `-common.storage.filesystem.dir=${storageFolder}/common`,
        `-blocks-storage.tsdb.dir=${storageFolder}/tsdb`,
        `-blocks-storage.bucket-store.sync-dir=${storageFolder}/sync`,
        `-compactor.data-dir=${storageFolder}/compactor`,
      ],
      readyPath: '/ready',
    });
    const door = await asTenant(tenant, mimir.url);
    programs.atEnd(() => {
      door.close();
    });
    const { port } = door.address() as AddressInfo;
    const to = { url: `http://127.0.0.1:${port}/api/v1/push`, metadata_config: { send_interval: '1s' } };
    const prometheus = await PrometheusProcess.start(programs, stringify({ remote_write: [to] }) + config);
    await prometheus.allUp();
    return new MimirProcess(mimir);
  }

  async kill(): Promise<void> {
    await this.running.signal('SIGKILL');
  }
}

/** Adds the tenant to what is written: Debian's Prometheus 2.42 leaves out the `headers` it is told to send. */
async function asTenant(tenant: string, to: string): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, 'x-scope-orgid': tenant };
    const passed = request(`${to}${incoming.url}`, { method: incoming.method!, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!);
      answer.pipe(outgoing);
    });
    // Once Mimir is killed.
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, here, resolve));
  return server;
}

const here = '127.0.0.1';
const ring = { kvstore: { store: 'inmemory' }, instance_addr: here };

/** Its configuration for one machine, with no other beside it. */
const alone = {
  multitenancy_enabled: true,
  usage_stats: { enabled: false },
  server: { http_listen_address: here, grpc_listen_address: here, log_level: 'warn' },
  common: { storage: { backend: 'filesystem' } },
  blocks_storage: { storage_prefix: 'blocks' },
  ruler_storage: { storage_prefix: 'rules' },
  alertmanager_storage: { storage_prefix: 'alerts' },
  ingester: { ring: { ...ring, replication_factor: 1, min_ready_duration: '0s' } },
  distributor: { ring },
  compactor: { sharding_ring: ring },
  // Else they find the machine's own address, where nothing listens.
  frontend: { address: here },
  query_scheduler: { ring },
  ruler: { ring },
  querier: { ring },
  store_gateway: { sharding_ring: { ...ring, replication_factor: 1 } },
};
