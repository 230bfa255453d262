import { type Listening, startListening } from './listening.js';
import { eventually, type Programs, type RunningProgram, vmagentProgram } from './programs.js';
import type { Target } from './prometheus-process.js';

/** A stock vmagent that scrapes, and writes to nowhere unless told. It reads Prometheus' configuration. */
export class VmagentProcess {
  private readonly url: string;
  private readonly running: RunningProgram;

  private constructor({ url, running }: Listening) {
    this.url = url;
    this.running = running;
  }

  static async start(
    programs: Programs,
    config: string,
    writeUrl = 'http://127.0.0.1:1/',
    flags: readonly string[] = [],
  ): Promise<VmagentProcess> {
    const started = await startListening(programs, {
      name: 'vmagent',
      program: vmagentProgram(),
      config,
      flags: ({ address, configFile, storageFolder }) => [
        `-promscrape.config=${configFile}`,
        `-remoteWrite.url=${writeUrl}`,
        ...flags,
        `-remoteWrite.tmpDataPath=${storageFolder}`,
        `-httpListenAddr=${address}`,
      ],
      readyPath: '/health',
    });
    return new VmagentProcess(started);
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
