import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * Who may import whom. A room is a folder of `src/`, or a file that stands there by itself; nothing else is allowed, so
 * that an arrow upward, across (ingest and scrape meet in storage only) or in a circle fails here.
 */
const ground = ['domain'];
const below = ['formats', 'storage', ...ground, 'telemetry'];
const rooms: Record<string, readonly string[]> = {
  domain: [],
  // What is sent to other systems is encoded there.
  telemetry: ['formats', ...ground],
  formats: ground,
  // A group is stored as the text that is served.
  storage: ['formats', ...ground, 'db'],

  net: ground,
  auth: ['net', ...below],
  ingest: below,
  scrape: below,
  // Sends where customers say, with secrets kept like the signing keys. Never across to ingest or scrape.
  streams: ['net', 'auth', ...below],
  // What a customer's tools are told: text from names and URLs, for who asks by HTTP, on the command line or in the demo.
  snippets: ground,
  // Asks where operators say. What it gets goes into storage by a function it is handed.
  sources: ['net', 'auth', ...below],
  admin: ['auth', 'ingest', 'scrape', 'streams', 'sources', ...below],

  // Its hot paths look clients and projects up in storage's directory, and read formats' negotiation.
  http: ['admin', 'auth', 'ingest', 'scrape', 'snippets', ...below],
  operator: ['admin', ...below],

  // Looks at a gateway from outside, as a scraper does; what the gateway knows it is handed.
  doctor: ['formats', ...ground],

  yaml: ground,
  // The shape of `external_issuers` belongs to those who use it, each metrics backend says which options it takes, and
  // how OTLP's names are translated is said where it is done.
  config: ['yaml', 'auth', 'net', 'telemetry', 'formats', ...ground],
  'web-config': ['yaml', ...ground],
  reload: ['config', ...below],
  gateway: [
    'config',
    'reload',
    'net',
    'http',
    'operator',
    'admin',
    'auth',
    'ingest',
    'scrape',
    'streams',
    'sources',
    ...below,
  ],
  main: ['gateway', 'http', 'config', 'web-config', ...below],
  demo: ['config', 'snippets', ...ground],
  // A backup is checked against its pepper, which only auth can read; a stream is shown in the shape the API shows.
  cli: ['main', 'gateway', 'config', 'demo', 'doctor', 'snippets', 'admin', 'auth', ...below],
};

/** Pure text or bytes to families and back, and rules: no files, no network, no clock, no packages but pure ones. */
const withoutEffects: Record<string, readonly string[]> = {
  domain: ['node:crypto'],
  // Regular expressions in linear time; a hash.
  formats: ['node:buffer', 'node:crypto', 're2js'],
  snippets: ['node:path/posix', 'yaml'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

/** Imports, re-exports and dynamic imports, those of types alone included: they tie two rooms just the same. */
const specifiers = (source: string): string[] =>
  [...source.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)['"]([^'"\s]+)['"]/g)].map(([, name]) => name!);

const imports: readonly Import[] = files('src').flatMap((from) =>
  specifiers(readFileSync(from, 'utf8')).map((name) => ({
    from,
    to: name.startsWith('.') ? normalize(join(dirname(from), name)).replace(/\.js$/, '.ts') : name,
  })),
);
const ours = imports.filter(({ to }) => to.startsWith('src/') || to.startsWith('db/'));

const roomOf = (path: string): string => (path.startsWith('src/') ? path.split('/')[1]!.replace(/\.ts$/, '') : 'db');

describe('the house', () => {
  it('has no room that is not in the table', () => {
    expect(new Set(files('src').map(roomOf))).toEqual(new Set(Object.keys(rooms)));
    expect(ours.length).toBeGreaterThan(100);
  });

  it('has arrows in the allowed directions only', () => {
    const wrong = ours.filter(({ from, to }) => {
      const [here, there] = [roomOf(from), roomOf(to)];
      return here !== there && !rooms[here]?.includes(there);
    });
    expect(wrong).toEqual([]);
  });

  it('has a table without circles', () => {
    const path: string[] = [];
    const visit = (room: string): void => {
      expect(path, `${[...path, room].join(' → ')}`).not.toContain(room);
      path.push(room);
      for (const next of rooms[room] ?? []) visit(next);
      path.pop();
    };
    for (const room of Object.keys(rooms)) visit(room);
  });

  it('has no circle between files', () => {
    const targets = new Map(
      files('src').map((file) => [file, ours.filter(({ from }) => from === file).map(({ to }) => to)]),
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      else if (!done.has(file)) {
        for (const next of targets.get(file) ?? []) visit(next, [...path, file]);
        done.add(file);
      }
    };
    for (const file of targets.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });

  it('has no effects where there should be none', () => {
    const wrong = imports.filter(({ from, to }) => {
      const allowed = withoutEffects[roomOf(from)];
      return allowed !== undefined && !to.startsWith('src/') && !allowed.includes(to);
    });
    expect(wrong).toEqual([]);
    const clocks = files('src').filter((file) => {
      const pure = roomOf(file) === 'formats' || (roomOf(file) === 'domain' && file !== 'src/domain/clock.ts');
      return pure && /\bDate\.now\(|\bnew Date\(\)|performance\.now\(/.test(readFileSync(file, 'utf8'));
    });
    expect(clocks).toEqual([]);
  });

  it('reads the environment in the configuration and the command line only', () => {
    const readers = files('src').filter((file) => readFileSync(file, 'utf8').includes('process.env'));
    expect(readers.filter((file) => !['config', 'cli', 'demo'].includes(roomOf(file)))).toEqual([]);
  });
});

describe('the dependencies', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
    'dependencies' | 'optionalDependencies',
    Record<string, string>
  >;
  const dependencies = { ...manifest.dependencies, ...manifest.optionalDependencies };
  const packageOf = (name: string): string =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/');
  const used = new Set(
    imports.filter(({ to }) => !/^(node:|src\/|db\/|test\/)/.test(to)).map(({ to }) => packageOf(to)),
  );

  it('are what the sources import, no more and no less', () => {
    expect([...used].sort()).toEqual(Object.keys(dependencies).sort());
  });

  it.skipIf(!existsSync('docs/architecture.md'))('each have their reason in docs/architecture.md', () => {
    const page = readFileSync('docs/architecture.md', 'utf8');
    expect(Object.keys(dependencies).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
