import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { prometheusConfig } from '../../src/demo/prometheus-config.js';

const options = {
  gatewayUrl: 'http://127.0.0.1:8460',
  operatorUrl: 'http://127.0.0.1:9460',
  projectId: 'demo',
  metricsIds: ['6b0c65e8', '78e7c3e0'],
  clientId: 'weir_cid_abc',
  secretFile: '/tmp/demo/client-secret',
};

/** Read by the rules of YAML 1.1, as Prometheus does. */
const read = (text: string) => parse(text, { version: '1.1' });

describe('prometheus.yml', () => {
  test('scrapes the project page with a token, and the operator listener', () => {
    expect(read(prometheusConfig(options))).toEqual({
      scrape_configs: [
        {
          job_name: 'weir',
          honor_labels: true,
          scrape_interval: '30s',
          scrape_timeout: '30s',
          metrics_path: '/api/v1/demo/metrics',
          scheme: 'http',
          static_configs: [{ targets: ['127.0.0.1:8460'], labels: { project: 'demo' } }],
          oauth2: {
            client_id: 'weir_cid_abc',
            client_secret_file: '/tmp/demo/client-secret',
            token_url: 'http://127.0.0.1:8460/oauth/token',
            scopes: ['read:metrics'],
          },
        },
        {
          job_name: 'weir-operator',
          scrape_interval: '30s',
          scrape_timeout: '10s',
          metrics_path: '/metrics',
          scheme: 'http',
          static_configs: [{ targets: ['127.0.0.1:9460'] }],
        },
      ],
    });
  });

  test('trusts the CA for the token and for the page when both are https, and only there', () => {
    const text = prometheusConfig({ ...options, gatewayUrl: 'https://localhost:8460/', caFile: '/tmp/a b/weir.crt' });
    const [weir, operator] = read(text).scrape_configs;
    expect(weir).toMatchObject({
      scheme: 'https',
      static_configs: [{ targets: ['localhost:8460'], labels: { project: 'demo' } }],
      tls_config: { ca_file: '/tmp/a b/weir.crt' },
      oauth2: { token_url: 'https://localhost:8460/oauth/token', tls_config: { ca_file: '/tmp/a b/weir.crt' } },
    });
    expect(operator.scheme).toBe('http');
    expect(operator).not.toHaveProperty('tls_config');
    expect(text).not.toMatch(/[&*]a\d/);
  });

  test('leaves trust to the system without a CA file, and ignores one for plain http', () => {
    expect(prometheusConfig({ ...options, gatewayUrl: 'https://weir.example' })).not.toContain('tls_config');
    expect(prometheusConfig({ ...options, caFile: '/tmp/weir.crt' })).not.toContain('tls_config');
  });

  test('loads a rule file, where there is one', () => {
    expect(read(prometheusConfig({ ...options, ruleFile: 'alerts.yml' })).rule_files).toEqual(['alerts.yml']);
    expect(read(prometheusConfig(options))).not.toHaveProperty('rule_files');
  });

  test('keeps the path of an external URL', () => {
    const [weir] = read(prometheusConfig({ ...options, gatewayUrl: 'https://vendor.example/weir/' })).scrape_configs;
    expect(weir.metrics_path).toBe('/weir/api/v1/demo/metrics');
    expect(weir.oauth2.token_url).toBe('https://vendor.example/weir/oauth/token');
    expect(weir.static_configs).toEqual([{ targets: ['vendor.example'], labels: { project: 'demo' } }]);
  });

  test('names the pages of single instances in a comment', () => {
    const comment = prometheusConfig(options)
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .join('\n');
    expect(comment).toContain('/api/v1/demo/6b0c65e8/metrics');
    expect(comment).toContain('/api/v1/demo/78e7c3e0/metrics');
  });
});
