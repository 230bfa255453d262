import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './harness.js';
import { Pinned, serverCore } from './processes.js';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const built = join(root, '.e2e', 'bench');

/** The compiled file of this folder: what is measured must not run through a loader. */
export const compiled = (name: string): string => join(built, 'scripts', 'bench', name);

/** Compiles the gateway and these scripts. */
export function build(): void {
  say('compiling');
  rmSync(built, { recursive: true, force: true });
  execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'scripts/bench/tsconfig.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  cpSync(join(root, 'db', 'migrations'), join(built, 'db', 'migrations'), { recursive: true });
  cpSync(join(root, 'package.json'), join(built, 'package.json'));
}

let profiling = false;

/** From now on each gateway leaves a CPU profile when it stops; it is slower for it. */
export function profileGateways(): string {
  profiling = true;
  return join(built, 'profiles');
}

const tmpfs = 0x01021994;

/** `weir serve` with its defaults, or a configuration file's, on a database of its own, pinned to the servers' core unless told otherwise. */
export class Weir {
  readonly process: Pinned;
  readonly url: string;
  private readonly folder: string;

  private constructor(process: Pinned, url: string, folder: string) {
    this.process = process;
    this.url = url;
    this.folder = folder;
  }

  static async start(
    nodeOptions: readonly string[] = [],
    configuration = '',
    env: Readonly<Record<string, string>> = {},
    core: number | readonly number[] = serverCore,
  ): Promise<Weir> {
    const folder = mkdtempSync(join(built, 'data-'));
    if (statfsSync(folder).type === tmpfs) throw new Error(`${folder} is in memory: nothing would be durable there`);
    const configFile = join(folder, 'weir.yml');
    writeFileSync(configFile, configuration);
    const profile = profiling ? ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${built}/profiles`] : [];
    const args = [
      ...profile,
      ...nodeOptions,
      join(built, 'src', 'cli', 'weir.js'),
      'serve',
      '--web.listen-address=127.0.0.1:0',
      '--operator.listen-address=127.0.0.1:0',
      `--storage.path=${join(folder, 'weir.db')}`,
      '--log.format=json',
      `--config.file=${configFile}`,
    ];
    const server = new Pinned(core, process.execPath, args, { env });
    const url = await server.wait((output) => /"listener":"public","address":"([^"]+)"/.exec(output)?.[1]);
    return new Weir(server, url, folder);
  }

  /** A command on the same database, as an operator would type it. */
  command(...args: string[]): Record<string, string> {
    const all = [...args, `--storage.path=${join(this.folder, 'weir.db')}`, '--format=json'];
    const program = join(built, 'src', 'cli', 'weir.js');
    return JSON.parse(execFileSync(process.execPath, [program, ...all], { encoding: 'utf8' })) as Record<
      string,
      string
    >;
  }

  /** A project without a limit on series, an endpoint in it, and an `Authorization` header that may read and write. */
  async prepare(): Promise<string> {
    this.command('project', 'create', 'Bench', '--id=bench');
    this.command('project', 'set', 'bench', '--limit=series=0');
    this.command('endpoint', 'create', 'One', '--project=bench', '--metrics-id=one');
    const scopes = ['--scope=read:metrics', '--scope=write:metrics'];
    return this.bearerOf(this.command('client', 'create', 'bench', '--project=bench', ...scopes));
  }

  /** Other projects, each with an endpoint `one` and the limits of the configuration; their headers, as from `prepare`. */
  async projects(...ids: string[]): Promise<string[]> {
    const scopes = ['create:projects', 'create:endpoints', 'create:clients'].map((scope) => `--scope=${scope}`);
    const operator = await this.bearerOf(this.command('client', 'create', 'maker', '--operator', ...scopes));
    const make = async (path: string, body: Record<string, string>): Promise<Record<string, string>> => {
      const answer = await fetch(`${this.url}/api/v2/${path}`, {
        method: 'POST',
        headers: { authorization: operator, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (answer.status !== 201) throw new Error(`not made: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as Record<string, string>;
    };
    const headers: string[] = [];
    for (const id of ids) {
      await make('projects', { name: id, id });
      await make(`projects/${id}/endpoints`, { name: 'one', metrics_id: 'one' });
      const scope = 'read:metrics write:metrics';
      headers.push(await this.bearerOf(await make('clients', { name: 'bench', project_id: id, scope })));
    }
    return headers;
  }

  private async bearerOf({ client_id, client_secret }: Record<string, string>): Promise<string> {
    const credentials = Buffer.from(`${client_id}:${client_secret}`).toString('base64');
    const answer = await fetch(`${this.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    return `Bearer ${((await answer.json()) as { access_token: string }).access_token}`;
  }

  /** The operator's listener. */
  get operatorUrl(): Promise<string> {
    return this.process.wait((output) => /"listener":"operator","address":"([^"]+)"/.exec(output)?.[1]);
  }

  /** What lies on disk, in bytes. */
  get storedBytes(): number {
    const files = readdirSync(this.folder).filter((name) => name.startsWith('weir.db'));
    return files.reduce((sum, name) => sum + statSync(join(this.folder, name)).size, 0);
  }

  /** What an endpoint `one` holds from now on, as one group. */
  async push(project: string, authorization: string, body: string): Promise<void> {
    const answer = await fetch(`${this.routesOf(project).push}/job/bench`, {
      method: 'PUT',
      headers: { authorization, 'content-type': 'text/plain' },
      body,
    });
    if (answer.status !== 200) throw new Error(`not pushed: ${answer.status} ${await answer.text()}`);
  }

  /** The ways into the endpoint of a project. */
  routesOf(project: string): { write: string; otlp: string; push: string } {
    const endpoint = `${this.url}/api/v1/${project}/one`;
    return { write: `${endpoint}/write`, otlp: `${endpoint}/otlp/v1/metrics`, push: `${endpoint}/metrics` };
  }

  /** Where the endpoint is pushed to and scraped from. */
  get endpoint(): string {
    return `${this.url}/api/v1/bench/one/metrics`;
  }

  /** Where the endpoint takes remote write. */
  get writeUrl(): string {
    return `${this.url}/api/v1/bench/one/write`;
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
