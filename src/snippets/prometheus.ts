import { placesOf, type SnippetFacts } from './facts.js';
import { discoveredJob, jobComments, staticJob, tlsConfig } from './scrape-job.js';
import type { Snippet } from './snippet.js';
import { yamlText } from './yaml-text.js';

const file = { file: 'prometheus.yml', mediaType: 'application/yaml' } as const;
const usage = 'Part of prometheus.yml. Check it with: promtool check config prometheus.yml';

export const prometheus: Snippet = {
  tool: 'prometheus',
  title: 'Prometheus 2.27 or newer, with the pages written down',
  ...file,
  text: (facts) =>
    yamlText({ scrape_configs: [staticJob(facts)] }, { top: [usage], above: jobComments(facts, 'scrape_configs.0') }),
};

export const prometheusSd: Snippet = {
  tool: 'prometheus-sd',
  title: 'Prometheus 2.28 or newer, which asks the gateway for its targets',
  ...file,
  text: (facts) =>
    yamlText(
      { scrape_configs: [discoveredJob(facts)] },
      {
        top: [usage, 'New endpoints are scraped within a minute of being created, deleted ones are left out.'],
        above: jobComments(facts, 'scrape_configs.0'),
      },
    ),
};

export const prometheusJwt: Snippet = {
  tool: 'prometheus-jwt',
  title: 'Prometheus 3.8 or newer, which signs with a key instead of keeping a secret',
  ...file,
  secretFile: '/etc/weir/private-key.pem',
  needs: 'an RSA key: weir client key add CLIENT_ID public-key.pem',
  text: (facts) =>
    yamlText(
      { scrape_configs: [staticJob(facts, signedLogin(facts))] },
      {
        top: [
          usage,
          'There is no secret: Prometheus signs with an RSA key of which the gateway knows the public half alone.',
          '  openssl genrsa -out private-key.pem 2048 && openssl rsa -in private-key.pem -pubout -out public-key.pem',
          `  weir client key add ${facts.clientId} public-key.pem`,
        ],
        above: jobComments(facts, 'scrape_configs.0', {
          client_certificate_key_file: 'The private key in PEM, readable by Prometheus alone.',
        }),
      },
    ),
};

/** RFC 7523 §2.1. Without `audience` Prometheus signs for the token URL. */
const signedLogin = (facts: SnippetFacts) => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  client_id: facts.clientId,
  ...(facts.keyId === undefined ? {} : { client_certificate_key_id: facts.keyId }),
  client_certificate_key_file: facts.secretFile,
  signature_algorithm: 'RS256',
  token_url: placesOf(facts).tokenUrl,
  scopes: ['read:metrics'],
  ...tlsConfig(facts),
});
