import { type Listening, startListening } from './listening.js';
import { type Programs, type RunningProgram, victoriaMetricsProgram } from './programs.js';

/** A stock VictoriaMetrics of one node that scrapes and stores. It reads Prometheus' configuration. */
export class VictoriaMetricsProcess {
  readonly url: string;
  private readonly running: RunningProgram;

  private constructor({ url, running }: Listening) {
    this.url = url;
    this.running = running;
  }

  static async start(programs: Programs, config = 'scrape_configs: []\n'): Promise<VictoriaMetricsProcess> {
    const started = await startListening(programs, {
      name: 'victoria-metrics',
      program: victoriaMetricsProgram(),
      config,
      flags: ({ address, configFile, storageFolder }) => [
        `-promscrape.config=${configFile}`,
        `-storageDataPath=${storageFolder}`,
        `-httpListenAddr=${address}`,
        // Queries see what came in the last seconds, too.
        '-search.latencyOffset=1ms',
        '-search.disableCache',
      ],
      readyPath: '/health',
    });
    return new VictoriaMetricsProcess(started);
  }

  async kill(): Promise<void> {
    await this.running.signal('SIGKILL');
  }
}
