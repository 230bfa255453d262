import { stringify } from 'yaml';
import { type Listening, startListening } from './listening.js';
import { freePort, type Programs, type RunningProgram } from './programs.js';
import { PrometheusProcess } from './prometheus-process.js';

/** A stock Thanos: a querier in front of the sidecar of a Prometheus that scrapes. */
export class ThanosProcess {
  readonly url: string;
  private readonly querier: RunningProgram;

  private constructor({ url, running }: Listening) {
    this.url = url;
    this.querier = running;
  }

  /** `config` is the Prometheus'. */
  static async start(program: string, programs: Programs, config: string): Promise<ThanosProcess> {
    // A sidecar takes no Prometheus that does not say which of several it is; the querier leaves the label out again.
    const named = stringify({ global: { external_labels: { replica: 'a' } } });
    // So that no blocks are joined behind the sidecar's back.
    const blocks = ['--storage.tsdb.min-block-duration=2h', '--storage.tsdb.max-block-duration=2h'];
    const prometheus = await PrometheusProcess.start(programs, named + config, {}, blocks);
    await prometheus.allUp();
    const store = `127.0.0.1:${await freePort()}`;
    await startListening(programs, {
      name: 'thanos-sidecar',
      program,
      flags: ({ address }) => [
        'sidecar',
        `--prometheus.url=${prometheus.url}`,
        `--tsdb.path=${prometheus.storageFolder}`,
        `--grpc-address=${store}`,
        `--http-address=${address}`,
      ],
      readyPath: '/-/ready',
    });
    const querierStore = `127.0.0.1:${await freePort()}`;
    const querier = await startListening(programs, {
      name: 'thanos-query',
      program,
      flags: ({ address }) => [
        'query',
        `--endpoint=${store}`,
        `--grpc-address=${querierStore}`,
        `--http-address=${address}`,
        '--query.replica-label=replica',
      ],
      readyPath: '/-/ready',
    });
    return new ThanosProcess(querier);
  }

  async kill(): Promise<void> {
    await this.querier.signal('SIGKILL');
  }
}
