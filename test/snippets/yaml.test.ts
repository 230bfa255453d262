import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { placesOf, type SnippetFacts, timeoutSeconds } from '../../src/snippets/facts.js';
import { snippetOf, snippets } from '../../src/snippets/index.js';
import { anyFacts, facts } from './facts.js';

// biome-ignore lint/suspicious/noExplicitAny: what it must be is what the tests say
type Read = any;

/** A document as both kinds of readers see it: those of YAML 1.1 (Go's yaml.v2, PyYAML) and of 1.2. */
function read(text: string) {
  const document = parse(text, { version: '1.1' });
  expect(parse(text, { version: '1.2' })).toEqual(document);
  return document;
}

const tls = ({ caFile, ...rest }: SnippetFacts) =>
  caFile !== undefined && placesOf({ ...rest, caFile }).isHttps ? { tls_config: { ca_file: caFile } } : {};

const login = (all: SnippetFacts) => ({
  client_id: all.clientId,
  client_secret_file: all.secretFile,
  token_url: placesOf(all).tokenUrl,
  scopes: ['read:metrics'],
  ...tls(all),
});

/** What every reader of Prometheus' form must find. */
function expectJob(job: Record<string, unknown>, all: SnippetFacts): void {
  const { host, scheme, pages } = placesOf(all);
  expect(job).toMatchObject({
    honor_labels: true,
    scheme,
    scrape_interval: `${all.intervalSeconds}s`,
    scrape_timeout: `${timeoutSeconds(all)}s`,
    oauth2: login(all),
    ...tls(all),
  });
  const targets = (job.static_configs as { targets: string[]; labels: Record<string, string> }[]).map(
    ({ targets: [at], labels }) => {
      expect(labels.project).toBe(all.projectId);
      return [at, labels.__metrics_path__ ?? job.metrics_path, labels.instance_id];
    },
  );
  expect(targets).toEqual(pages.map(({ path, metricsId }) => [host, path, pages.length > 1 ? metricsId : undefined]));
}

const holds = (tool: string, check: (document: Read, all: SnippetFacts) => void) =>
  fc.assert(fc.property(anyFacts, (all) => check(read(snippetOf(tool).text(all)), all)));

describe('whatever ids, paths and URL are, what is read back from the snippet for', () => {
  it.each(['prometheus', 'vmagent'])('%s is a job with them', (tool) => {
    holds(tool, ({ scrape_configs: [job] }, all) => expectJob(job, all));
  });

  it('prometheus-jwt is a job that signs with the key', () => {
    holds('prometheus-jwt', ({ scrape_configs: [job] }, all) => {
      expect(job.oauth2).toEqual({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        client_id: all.clientId,
        ...(all.keyId === undefined ? {} : { client_certificate_key_id: all.keyId }),
        client_certificate_key_file: all.secretFile,
        signature_algorithm: 'RS256',
        token_url: placesOf(all).tokenUrl,
        scopes: ['read:metrics'],
        ...tls(all),
      });
    });
  });

  it('prometheus-sd is a job that asks the gateway, and keeps the endpoints that were named', () => {
    holds('prometheus-sd', ({ scrape_configs: [job] }, all) => {
      const { discoveryUrl, pages } = placesOf(all);
      expect(job.http_sd_configs).toEqual([
        { url: discoveryUrl, refresh_interval: '60s', oauth2: login(all), ...tls(all) },
      ]);
      expect(job.oauth2).toEqual(login(all));
      expect(job.relabel_configs.at(-1)).toEqual({ target_label: 'project', replacement: all.projectId });
      const [{ regex = '.*' }] = job.relabel_configs;
      const kept = new RegExp(`^(?:${regex})$`);
      for (const { path } of pages) expect(kept.test(path)).toBe(true);
      if (all.metricsIds.length > 0) expect(kept.test('/api/v1/other/metrics')).toBe(false);
    });
  });

  it.each(['otelcol', 'cloudwatch'])('%s is a receiver with them, when $$ is read as $', (tool) => {
    holds(tool, (document, all) => {
      const text = JSON.stringify(document.receivers.prometheus.config);
      expect(text.replaceAll('$$', '')).not.toContain('$');
      expectJob(JSON.parse(text.replaceAll('$$', '$')).scrape_configs[0], all);
      expect(document.service.pipelines.metrics.receivers).toEqual(['prometheus']);
      for (const name of document.service.pipelines.metrics.exporters) expect(document.exporters).toHaveProperty(name);
    });
  });

  it('datadog is an instance for each page', () => {
    holds('datadog', ({ instances }, all) => {
      const { pages, tokenUrl } = placesOf(all);
      expect(instances.map((each: Read) => each.openmetrics_endpoint)).toEqual(pages.map(({ url }) => url));
      expect(instances[0].tags).toEqual([`project:${all.projectId}`]);
      for (const { auth_token, min_collection_interval, timeout, tls_ca_cert } of instances) {
        expect([min_collection_interval, timeout, tls_ca_cert]).toEqual([
          all.intervalSeconds,
          timeoutSeconds(all),
          all.caFile,
        ]);
        expect(auth_token.reader).toMatchObject({
          url: tokenUrl,
          client_id: all.clientId,
          client_secret: `ENC[${all.secretFile}]`,
        });
      }
    });
  });

  it("newrelic is the agent's jobs, each of which is one of Prometheus", () => {
    holds('newrelic', ({ config, extraVolumeMounts }, all) => {
      const { pages, host } = placesOf(all);
      const { jobs } = config.static_targets;
      expect(new Set(jobs.map((job: Read) => job.job_name)).size).toBe(pages.length);
      for (const [index, { targets, labels, ...job }] of jobs.entries()) {
        expect(targets).toEqual([host]);
        const metricsIds = all.metricsIds.slice(index, index + 1);
        expectJob({ ...job, static_configs: [{ targets, labels }] }, { ...all, metricsIds });
      }
      expect(all.secretFile.startsWith(extraVolumeMounts[0].mountPath)).toBe(true);
    });
  });
});

describe('every snippet', () => {
  it.each(snippets)(
    'for $tool names the scope, an interval of the cache or more with its reason, and no placeholder',
    (snippet) => {
      for (const intervalSeconds of [30, 60, 120] as const) {
        const text = snippet.text({ ...facts, intervalSeconds });
        expect(text).toContain(facts.clientId);
        expect(text).not.toMatch(/\b(CLIENT|PROJECT)_ID\b(?! =|\}|:)|<[a-z_-]+>/);
        if (!['curl', 'newrelic-otlp'].includes(snippet.tool)) expect(text).toContain('renewed');
        if (!['newrelic-otlp', 'curl'].includes(snippet.tool)) expect(text).toContain(String(intervalSeconds));
        expect(text.endsWith('\n')).toBe(true);
        expect(text.split('\n').filter((line) => /\s$/.test(line))).toEqual([]);
      }
    },
  );

  it('has a name of its own, and one of those is asked for', () => {
    expect(new Set(snippets.map(({ tool }) => tool)).size).toBe(snippets.length);
    expect(() => snippetOf('nagios')).toThrow(/no snippet for "nagios"; there are prometheus, /);
  });
});
