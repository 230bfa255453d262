import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, type Programs, type RunningProgram, victoriaMetricsProgram } from './programs.js';

/** A stock VictoriaMetrics of one node that scrapes and stores. It reads Prometheus' configuration. */
export class VictoriaMetricsProcess {
  readonly url: string;
  private readonly running: RunningProgram;

  private constructor(url: string, running: RunningProgram) {
    this.url = url;
    this.running = running;
  }

  static async start(programs: Programs, config = 'scrape_configs: []\n'): Promise<VictoriaMetricsProcess> {
    const port = await freePort();
    const configFile = join(programs.folder, `victoria-metrics-${port}.yml`);
    writeFileSync(configFile, config);
    const running = programs.start(victoriaMetricsProgram(), [
      `-promscrape.config=${configFile}`,
      `-storageDataPath=${join(programs.folder, `victoria-metrics-${port}`)}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      // Queries see what came in the last seconds, too.
      '-search.latencyOffset=1ms',
      '-search.disableCache',
    ]);
    const tsdb = new VictoriaMetricsProcess(`http://127.0.0.1:${port}`, running);
    await eventually('VictoriaMetrics', async () => ((await fetch(`${tsdb.url}/health`)).ok ? true : undefined), {
      during: running,
    });
    return tsdb;
  }

  async kill(): Promise<void> {
    await this.running.signal('SIGKILL');
  }
}
