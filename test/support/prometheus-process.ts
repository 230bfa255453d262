import { stringify } from 'yaml';
import { type Listening, startListening } from './listening.js';
import { eventually, type Programs, prometheusProgram, type RunningProgram } from './programs.js';
import type { CreatedClient, WeirProcess } from './weir-process.js';

/** One series as the HTTP API gives it: several samples for a range selector, one otherwise. */
export interface StoredSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly StoredSample[];
}

export interface StoredSample {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly value: number;
}

interface ApiSeries {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
}

export interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface LoadedRule {
  readonly name: string;
  readonly type: 'alerting' | 'recording';
  /** `ok` once it was evaluated without an error. */
  readonly health: 'ok' | 'unknown' | 'err';
  readonly lastError?: string;
  /** Of alerting rules. */
  readonly state?: 'inactive' | 'pending' | 'firing';
}

/** A stock Prometheus with its own storage. */
export class PrometheusProcess {
  readonly url: string;
  /** Where its samples are. */
  readonly storageFolder: string;
  private readonly running: RunningProgram;

  private constructor({ url, storageFolder, running }: Listening) {
    this.url = url;
    this.storageFolder = storageFolder;
    this.running = running;
  }

  static async start(
    programs: Programs,
    config: string,
    env: Record<string, string> = {},
    flags: readonly string[] = [],
    program = prometheusProgram(),
  ): Promise<PrometheusProcess> {
    const started = await startListening(programs, {
      name: 'prometheus',
      program,
      config,
      env,
      flags: ({ address, configFile, storageFolder }) => [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${storageFolder}`,
        `--web.listen-address=${address}`,
        ...flags,
      ],
      readyPath: '/-/ready',
    });
    return new PrometheusProcess(started);
  }

  /** As the kernel or a power cut would end it. */
  async kill(): Promise<void> {
    await this.running.signal('SIGKILL');
  }

  /** An instant query, at a time in seconds since the epoch or now. */
  async query(expression: string, time?: number): Promise<StoredSeries[]> {
    const parameters = new URLSearchParams({
      query: expression,
      ...(time === undefined ? {} : { time: String(time) }),
    });
    const { result } = await this.api<{ result: ApiSeries[] }>(`query?${parameters}`);
    return result.map(({ metric, value, values }) => ({
      labels: metric,
      samples: (values ?? [value!]).map(([at, text]) => ({ time: at, value: numberOf(text) })),
    }));
  }

  async targets(): Promise<Target[]> {
    return (await this.api<{ activeTargets: Target[] }>('targets?state=active')).activeTargets;
  }

  /** Every rule it has loaded. */
  async rules(): Promise<LoadedRule[]> {
    const { groups } = await this.api<{ groups: { rules: LoadedRule[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  /** Resolves when all targets have been scraped and are up. */
  async allUp(withinMs = 30_000): Promise<Target[]> {
    let targets: Target[] = [];
    const failing = (): string =>
      targets.map(({ labels, health, lastError }) => `${labels.job} ${health} ${lastError}`).join('; ');
    try {
      return await eventually(
        'all targets to be up',
        async () => {
          targets = await this.targets();
          return targets.length > 0 && targets.every(({ health }) => health === 'up') ? targets : undefined;
        },
        { withinMs, everyMs: 200, during: this.running },
      );
    } catch (error) {
      throw new Error(`not all targets are up: ${failing()}`, { cause: error });
    }
  }

  private async api<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`Prometheus refused ${path}: ${answer.error}`);
    return answer.data;
  }
}

/** A number as Prometheus spells it. */
export const numberOf = (text: string): number =>
  text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);

export interface ScrapeJob {
  readonly name: string;
  /** Below `/api/v1/`. */
  readonly path: string;
  readonly interval: string;
  readonly proxyUrl?: string;
}

export interface ScrapeOptions {
  readonly weir: WeirProcess;
  readonly client: CreatedClient;
  readonly jobs: readonly ScrapeJob[];
  /** For an https gateway whose certificate the system does not know. */
  readonly caFile?: string;
}

/** A configuration that scrapes pages of the gateway with the client's credentials. */
export function scrapeConfig({ weir, client, jobs, caFile }: ScrapeOptions): string {
  const tls = caFile === undefined ? {} : { tls_config: { ca_file: caFile } };
  const { protocol, host } = new URL(weir.url);
  return stringify(
    {
      scrape_configs: jobs.map(({ name, path, interval, proxyUrl }) => ({
        job_name: name,
        honor_labels: true,
        scrape_interval: interval,
        scrape_timeout: interval,
        scheme: protocol.slice(0, -1),
        metrics_path: `/api/v1/${path}`,
        // `via` tells apart what came by which job: a pushed `job` label takes the place of the job's name.
        static_configs: [{ targets: [host], labels: { via: name } }],
        oauth2: {
          client_id: client.client_id,
          client_secret_file: weir.secretFile(client),
          token_url: client.token_url,
          scopes: ['read:metrics'],
          ...tls,
        },
        ...tls,
        ...(proxyUrl === undefined ? {} : { proxy_url: proxyUrl }),
      })),
    },
    { aliasDuplicateObjects: false },
  );
}
