import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, type Programs, type RunningProgram, vmagentProgram } from './programs.js';
import type { Target } from './prometheus-process.js';

/** A stock vmagent that scrapes, and writes to nowhere unless told. It reads Prometheus' configuration. */
export class VmagentProcess {
  private readonly url: string;
  private readonly running: RunningProgram;

  private constructor(url: string, running: RunningProgram) {
    this.url = url;
    this.running = running;
  }

  static async start(
    programs: Programs,
    config: string,
    writeUrl = 'http://127.0.0.1:1/',
    flags: readonly string[] = [],
  ): Promise<VmagentProcess> {
    const port = await freePort();
    const configFile = join(programs.folder, `vmagent-${port}.yml`);
    writeFileSync(configFile, config);
    const running = programs.start(vmagentProgram(), [
      `-promscrape.config=${configFile}`,
      `-remoteWrite.url=${writeUrl}`,
      ...flags,
      `-remoteWrite.tmpDataPath=${join(programs.folder, `vmagent-${port}`)}`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ]);
    const vmagent = new VmagentProcess(`http://127.0.0.1:${port}`, running);
    await eventually('vmagent to answer', async () => ((await fetch(`${vmagent.url}/health`)).ok ? true : undefined), {
      during: running,
    });
    return vmagent;
  }

  /** Resolves when each target was scraped: until then it is `down` without an error, last scraped in 1970. */
  scraped(): Promise<Target[]> {
    return eventually(
      'vmagent to have scraped',
      async () => {
        const response = await fetch(`${this.url}/api/v1/targets`);
        const { data } = (await response.json()) as { data: { activeTargets: Target[] } };
        const isDone = data.activeTargets.every(({ lastScrape }) => Date.parse(lastScrape) > 0);
        return isDone && data.activeTargets.length > 0 ? data.activeTargets : undefined;
      },
      { during: this.running },
    );
  }

  /** Stops it, and gives its log. */
  async end(): Promise<string> {
    await this.running.end();
    return this.running.stderr;
  }
}
