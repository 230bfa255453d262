import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkInterval, checkPath, placesOf, type SnippetFacts } from '../../src/snippets/facts.js';
import { snippetOf } from '../../src/snippets/index.js';
import { hclString, literal, shellWord, tomlString } from '../../src/snippets/quote.js';
import { anyFacts, facts } from './facts.js';

const textOf = (tool: string, all: SnippetFacts): string => snippetOf(tool).text(all);
/** Every text in double quotes, as the syntax means it. */
const strings = (text: string): string[] => (text.match(/"(?:[^"\\\n]|\\.)*"/g) ?? []).map((each) => JSON.parse(each));
/** Code without its comments, which hold no values that could end a line. */
const code = (text: string, comment: RegExp): string =>
  text
    .split('\n')
    .filter((line) => !comment.test(line))
    .join('\n');

describe('whatever ids, paths and URL are, the text for', () => {
  it('alloy holds them as strings, and nothing else changes', () => {
    fc.assert(
      fc.property(anyFacts, (all) => {
        const { host, scheme, tokenUrl, pages } = placesOf(all);
        const found = strings(code(textOf('alloy', all), /^\s*\/\//));
        expect(found).toEqual(expect.arrayContaining([host, scheme, tokenUrl, all.clientId, all.secretFile]));
        for (const { path } of pages) expect(found).toContain(path);
        const shape = code(textOf('alloy', all), /^\s*\/\//).replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
        expect(shape).toMatch(/^prometheus\.scrape "" \{\n[\w\s="{}[\],.]*\}\n$/);
      }),
    );
  });

  it('telegraf holds them as strings in which no variable is put in but the secret', () => {
    fc.assert(
      fc.property(anyFacts, (all) => {
        const { tokenUrl, pages, isHttps } = placesOf(all);
        const toml = code(textOf('telegraf', all), /^\s*#/);
        expect(toml.match(/\$/g)).toHaveLength(1);
        const found = strings(toml);
        const values = [all.projectId, ...pages.map(({ url }) => url), all.clientId, tokenUrl];
        expect(found).toEqual(expect.arrayContaining(values));
        if (isHttps && all.caFile !== undefined) expect(found).toContain(all.caFile);
        expect(toml.replace(/"(?:[^"\\\n]|\\.)*"/g, '""')).toMatch(
          /^\[\[inputs\.http\]\]\n(?:\s+\w+ = ["[\], ]+|\n)*\n {2}\[inputs\.http\.tags\]\n {4}project = ""\n$/,
        );
      }),
    );
  });

  it('grafana-cloud holds them as texts without expressions', () => {
    fc.assert(
      fc.property(anyFacts, (all) => {
        const hcl = code(textOf('grafana-cloud', all), /^\s*#/);
        expect(hcl.replace(/\$\$\{|%%\{/g, ' ')).not.toMatch(/[$%]\{/);
        const found = strings(hcl).map((text) => text.replaceAll('$${', '${').replaceAll('%%{', '%{'));
        const { pages } = placesOf(all);
        expect(found).toEqual(expect.arrayContaining([...pages.map(({ url }) => url), all.clientId, all.secretFile]));
      }),
    );
  });

  it('node is a program with them', () => {
    fc.assert(
      fc.property(anyFacts, (all) => {
        const text = textOf('node', all);
        const constants = text.slice(text.indexOf('const clientId'), text.indexOf('// Every'));
        const run = new Function(`${constants}; return { clientId, secretFile, tokenUrl, pages };`);
        const { tokenUrl, pages } = placesOf(all);
        expect(run()).toEqual({
          clientId: all.clientId,
          secretFile: all.secretFile,
          tokenUrl,
          pages: pages.map(({ url }) => url),
        });
      }),
    );
  });

  it('python and the shells is read back by them', () => {
    const many = fc.sample(anyFacts, { numRuns: 60, seed: 7 });
    const programs = many.map((all) => {
      const text = textOf('python', all);
      return text.slice(text.indexOf('CLIENT_ID'), text.indexOf('TRUST')).replace(/^PAGES.*$/m, (line) => line);
    });
    const script = `import json, sys
for text in json.load(sys.stdin):
    names = {}
    exec(text, names)
    print(json.dumps([names["CLIENT_ID"], names["SECRET_FILE"], names["TOKEN_URL"], names["PAGES"]]))`;
    const python = spawnSync('python3', ['-c', script], { input: JSON.stringify(programs), encoding: 'utf8' });
    expect(python.stderr).toBe('');
    expect(
      python.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(
      many.map((all) => [
        all.clientId,
        all.secretFile,
        placesOf(all).tokenUrl,
        placesOf(all).pages.map(({ url }) => url),
      ]),
    );

    const printed = many.map(({ secretFile }) => `printf '%s\\n' "$(printf %s ${shellWord(secretFile)})"`).join('\n');
    const shell = spawnSync('sh', [], { input: printed, encoding: 'utf8' });
    expect(shell.stdout.split('\n').slice(0, -1)).toEqual(many.map(({ secretFile }) => secretFile));
  });

  it('new-relic is a script whose body is the stream, with the key from the environment', () => {
    const many = fc.sample(anyFacts, { numRuns: 25, seed: 3 });
    for (const all of many) {
      const stub = `curl() { case "$*" in *metric-streams) cat ;; *) echo '{"access_token":"t"}' ;; esac; }
cat() { case $# in 0) command cat ;; *) echo secret ;; esac; }\n`;
      const env = { ...process.env, NEW_RELIC_LICENSE_KEY: 'key"&\\1' };
      const { stdout, stderr } = spawnSync('sh', [], {
        input: stub + textOf('newrelic-otlp', all),
        encoding: 'utf8',
        env,
      });
      expect(stderr).toBe('');
      const stream = JSON.parse(stdout.replace('key"&\\1', 'the key'));
      expect(stream.destination.configuration.api_key).toBe('the key');
      expect(stream.subscriptions).toEqual([
        {
          metric_type: 'project.metrics',
          interval: `${all.intervalSeconds}s`,
          ...(all.metricsIds.length === 0 ? {} : { match: all.metricsIds.map((id) => `{instance_id="${id}"}`) }),
        },
      ]);
    }
  });
});

describe('quotes', () => {
  it('of TOML and HCL let no text become a variable or an expression', () => {
    expect(tomlString('a$b')).toBe('"a\\u0024b"');
    expect(hclString('$' + '{a("b")} %{if} $5')).toBe('"$$' + '{a(\\"b\\")} %%{if} $5"');
    expect(literal('a"b\\c')).toBe('"a\\"b\\\\c"');
  });
});

describe('what comes from outside', () => {
  it.each(['', 'a\nb', 'a\rb', 'a\u0000', 'a\u0085b', 'a\u2028b', '\ud800', 'x'.repeat(4097)])(
    'is no path: %j',
    (path) => {
      expect(() => checkPath('secret_file', path)).toThrow(/^The secret file must be a path/);
    },
  );

  it('is a path with blanks, quotes and other letters', () => {
    for (const path of ['a b', "it's", '/etc/ü/😀', 'C:\\weir\\secret']) expect(checkPath('ca_file', path)).toBe(path);
  });

  it.each(['30', '30s', '60s', '120s'])('is an interval: %s', (text) => {
    expect(checkInterval(text)).toBe(Number.parseInt(text, 10));
  });

  it.each(['15s', '29s', '0', '', '1m', '300s', '30ss', '30.0', '-30'])('is no interval: %j', (text) => {
    expect(() => checkInterval(text)).toThrow(/must be 30s, 60s, 120s/);
  });
});

describe('the places of a gateway', () => {
  it('are below its external URL, whatever it ends with', () => {
    const { tokenUrl, pages, host, scheme, discoveryUrl } = placesOf({
      ...facts,
      gatewayUrl: 'https://vendor.example:444/weir/',
      metricsIds: ['db1'],
    });
    expect({ tokenUrl, pages, host, scheme, discoveryUrl }).toEqual({
      tokenUrl: 'https://vendor.example:444/weir/oauth/token',
      pages: [
        {
          metricsId: 'db1',
          path: '/weir/api/v1/acme/db1/metrics',
          url: 'https://vendor.example:444/weir/api/v1/acme/db1/metrics',
        },
      ],
      host: 'vendor.example:444',
      scheme: 'https',
      discoveryUrl: 'https://vendor.example:444/weir/api/v1/acme/sd',
    });
  });
});
