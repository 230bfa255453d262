import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { eventually, type Finished, freePort, type Programs, type RunningProgram } from './programs.js';

/** What `weir client create --format json` prints. */
export interface CreatedClient {
  readonly client_id: string;
  readonly client_secret: string;
  readonly token_url: string;
}

export interface PushOptions {
  readonly method?: 'PUT' | 'POST' | 'DELETE';
  readonly syntax?: 'text' | 'openmetrics';
}

const contentTypes = {
  text: 'text/plain; version=0.0.4',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** `weir serve` as a process of its own, in its own folder, and the `weir` commands on its store. */
export class WeirProcess {
  private readonly programs: Programs;
  private readonly weir: string;
  private readonly flags: readonly string[];
  private readonly env: Readonly<Record<string, string>>;
  private readonly storagePath: string;
  private running: RunningProgram | undefined;
  /** Where it listens: chosen at the first start, kept from then on. */
  url = '';
  operatorUrl = '';

  private constructor(
    programs: Programs,
    weir: string,
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
  ) {
    this.programs = programs;
    this.weir = weir;
    this.flags = flags;
    this.env = env;
    this.storagePath = join(programs.folder, 'weir.db');
  }

  /** `env` is for the server alone. */
  static async start(
    programs: Programs,
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<WeirProcess> {
    const weir = new WeirProcess(programs, inject('weir'), flags, env);
    await weir.start();
    return weir;
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const address = async (url: string): Promise<string> =>
      url === '' ? `127.0.0.1:${await freePort()}` : new URL(url).host;
    const args = [
      this.weir,
      'serve',
      `--web.listen-address=${await address(this.url)}`,
      `--operator.listen-address=${await address(this.operatorUrl)}`,
      `--storage.path=${this.storagePath}`,
      ...this.flags,
    ];
    const running = this.programs.start(process.execPath, args, { env: this.env });
    this.running = running;
    const listening = (listener: string) =>
      this.logs.find((line) => line.msg === 'listening' && line.listener === listener)?.address as string | undefined;
    this.url = await eventually('the public listener', () => listening('public'), { during: running });
    this.operatorUrl = await eventually('the operator listener', () => listening('operator'), { during: running });
    await eventually(
      'the gateway to be ready',
      async () => ((await fetch(`${this.operatorUrl}/-/ready`)).ok ? true : undefined),
      { during: running },
    );
  }

  /** The log lines of the process that runs now. */
  get logs(): Record<string, unknown>[] {
    const whole = this.running!.stderr.slice(0, this.running!.stderr.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** As the kernel or a power cut would end it. */
  kill(): Promise<Finished> {
    return this.running!.signal('SIGKILL');
  }

  /** What a command on the store prints, in JSON. */
  async command<T = Record<string, string>>(...args: string[]): Promise<T> {
    const on = [`--storage.path=${this.storagePath}`, '--format=json'];
    const { status, stdout, stderr } = await this.programs.run(process.execPath, [this.weir, ...args, ...on]);
    if (status !== 0) throw new Error(`weir ${args.join(' ')} failed with status ${status}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Runs lines as one pastes them into bash: `npx weir` there is this one, on its store, and the default URL is its own. */
  async paste(lines: string, env: Readonly<Record<string, string>> = {}): Promise<Finished> {
    const npx = `npx() { shift; "$NODE" "$WEIR" "$@"; }`;
    const given = { NODE: process.execPath, WEIR: this.weir, WEIR_STORAGE_PATH: this.storagePath, ...env };
    const script = `${npx}\n${lines.replaceAll('http://127.0.0.1:8460', this.url)}`;
    const finished = await this.programs.run('bash', ['-c', script], { env: given });
    if (finished.status === 127) throw new Error(`${finished.stderr} Install the Debian packages bash, curl and sed.`);
    return finished;
  }

  /** A project of this id with endpoints of these metricsIds. */
  async createProject(id: string, ...metricsIds: string[]): Promise<void> {
    await this.command('project', 'create', id, '--id', id);
    for (const metricsId of metricsIds) await this.createEndpoint(id, metricsId);
  }

  /** Gives the URL of its page. */
  async createEndpoint(project: string, metricsId: string, ...settings: string[]): Promise<string> {
    const args = ['endpoint', 'create', metricsId, '--project', project, '--metrics-id', metricsId];
    const { url } = await this.command<{ url: string }>(...args, ...settings);
    return url;
  }

  createClient(project: string, ...scopes: string[]): Promise<CreatedClient> {
    const args = ['client', 'create', 'e2e', '--project', project, ...scopes.flatMap((scope) => ['--scope', scope])];
    return this.command<CreatedClient>(...args);
  }

  /** A file that holds nothing but the client's secret, for tools that take one. */
  secretFile({ client_id, client_secret }: CreatedClient): string {
    const file = join(this.programs.folder, `${client_id}.secret`);
    writeFileSync(file, client_secret, { mode: 0o600 });
    return file;
  }

  /** A token of the client, as `weir token` prints it, as an `Authorization` header. */
  async bearer(client: CreatedClient, ...args: string[]): Promise<string> {
    const given = ['--client-id', client.client_id, '--client-secret-file', this.secretFile(client)];
    const { access_token } = await this.command<{ access_token: string }>('token', ...given, ...args);
    return `Bearer ${access_token}`;
  }

  /** A push to `/api/v1/{path}`; fails unless it was accepted. */
  async push(path: string, body: string, bearer: string, { method = 'PUT', syntax = 'text' }: PushOptions = {}) {
    const response = await fetch(`${this.url}/api/v1/${path}`, {
      method,
      ...(method === 'DELETE' ? {} : { body }),
      headers: { authorization: bearer, 'content-type': contentTypes[syntax] },
    });
    if (!response.ok) throw new Error(`${method} ${path} gave ${response.status}: ${await response.text()}`);
  }

  /** The page at `/api/v1/{path}` in the format that was asked for; fails unless it came. */
  async page(path: string, bearer: string, format: 'text' | 'openmetrics' = 'text'): Promise<string> {
    const accept = format === 'text' ? 'text/plain;version=0.0.4' : 'application/openmetrics-text;version=1.0.0';
    const response = await fetch(`${this.url}/api/v1/${path}`, { headers: { authorization: bearer, accept } });
    if (response.status !== 200) throw new Error(`${path} gave ${response.status}: ${await response.text()}`);
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith(accept.split(';')[0]!)) throw new Error(`${path} came as ${type}`);
    return response.text();
  }

  /** The page of the operator's listener. */
  async operatorPage(): Promise<string> {
    return (await fetch(`${this.operatorUrl}/metrics`)).text();
  }

  /** The value of one of the operator's own series without labels. */
  async operatorValue(name: string): Promise<number> {
    const line = (await this.operatorPage()).split('\n').find((candidate) => candidate.startsWith(`${name} `));
    if (line === undefined) throw new Error(`the operator page has no ${name}`);
    return Number(line.slice(name.length + 1));
  }
}
