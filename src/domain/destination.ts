import { WeirError } from './errors.js';
import type { DatadogConfiguration, Destination, DestinationSecrets } from './stream.js';

/** Datadog's regions by the code its own pages use. */
const datadogSites: Readonly<Record<string, string>> = {
  US1: 'datadoghq.com',
  US3: 'us3.datadoghq.com',
  US5: 'us5.datadoghq.com',
  EU: 'datadoghq.eu',
  EU1: 'datadoghq.eu',
  AP1: 'ap1.datadoghq.com',
  AP2: 'ap2.datadoghq.com',
  GOV: 'ddog-gov.com',
  US1_FED: 'ddog-gov.com',
};
const domain = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;

/** Where a window goes by HTTP. Throws `invalid` naming the field. */
export function destinationUrl({ type, configuration }: Destination): string {
  switch (type) {
    case 'datadog':
      return datadogUrl(configuration);
    case 'otlp':
      return otlpUrl(configuration.endpoint);
    case 'prometheus_remote_write':
      return checkUrl(configuration.endpoint, 'endpoint').href;
    case 'dogstatsd':
      throw new Error('DogStatsD has no URL');
  }
}

/** A code, the host of the web application or the bare domain; or a base URL of a relay. */
function datadogUrl({ site, url }: DatadogConfiguration): string {
  if ((site === undefined) === (url === undefined)) throw refused('site', 'Give either a site or a url.');
  if (url !== undefined) return `${checkUrl(url, 'url').href.replace(/\/+$/, '')}/api/v2/series`;
  const known = datadogSites[site!.toUpperCase().replace('-', '_')];
  const host = known ?? site!.toLowerCase().replace(/^app\./, '');
  if (!domain.test(host)) {
    throw refused('site', 'The site must be US1, US3, US5, EU, AP1, AP2, GOV, or a domain such as app.datadoghq.com.');
  }
  return `https://api.${host}/api/v2/series`;
}

/** As it stands when it names a signal path, Splunk's among them; otherwise a base URL (OTLP exporter specification). */
function otlpUrl(endpoint: string): string {
  const url = checkUrl(endpoint, 'endpoint');
  if (/\/(v1\/metrics|v2\/datapoint\/otlp)\/?$/.test(url.pathname)) return url.href;
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/metrics`;
  return url.href;
}

/** Splunk's own path, which has limits of its own. */
export const isSplunk = (url: string): boolean => /\/v2\/datapoint\/otlp\/?$/.test(new URL(url).pathname);

function checkUrl(text: string, field: string): URL {
  if (text.length > 2000 || !URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw refused(field, `The ${field} must be an https URL.`);
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw refused(field, `The ${field} must not carry a user name or password; use auth_type basic.`);
  }
  url.hash = '';
  return url;
}

/** `host:port`; an IPv6 address in brackets. Throws `invalid`. */
export function parseAddress(address: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})$/.exec(address) ?? [];
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) {
    throw refused('address', 'The address must be host:port, such as 10.0.0.7:8125.');
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

const reservedHeader =
  /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|user-agent|x-prometheus-.*)$/i;

/** Rules beyond the shape, for all destinations. Throws `invalid` naming the field. */
export function checkDestination(destination: Destination, secrets: DestinationSecrets): void {
  const { type, configuration } = destination;
  if (type === 'dogstatsd') {
    parseAddress(configuration.address);
    return;
  }
  const url = new URL(destinationUrl(destination));
  if (type === 'datadog') {
    if (!secrets.api_key) throw refused('api_key', 'The api_key is missing.');
    return;
  }
  const { auth_type, auth_header_name, username } = configuration;
  const needed = { none: undefined, api_key: 'api_key', bearer: 'token', basic: 'password' } as const;
  const secret = needed[auth_type];
  if (secret !== undefined && !secrets[secret]) {
    throw refused(secret, `With auth_type ${auth_type} a ${secret} is needed.`);
  }
  const stray = Object.keys(secrets).find((name) => name !== secret);
  if (stray !== undefined) throw refused(stray, `With auth_type ${auth_type} there is no ${stray}.`);
  if ((auth_type === 'basic') !== (username !== undefined)) {
    throw refused('username', 'A username goes with auth_type basic, and with no other.');
  }
  if ((auth_type === 'api_key') !== (auth_header_name !== undefined)) {
    throw refused('auth_header_name', 'An auth_header_name goes with auth_type api_key, and with no other.');
  }
  if (
    auth_header_name !== undefined &&
    (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(auth_header_name) || reservedHeader.test(auth_header_name))
  ) {
    throw refused('auth_header_name', 'The auth_header_name is not a header that can be chosen.');
  }
  if (type === 'otlp') checkVendor(url, configuration);
}

/** What is known to be refused by the other side, said before anything is sent. */
function checkVendor(url: URL, { protocol, temporality }: { protocol: string; temporality: string }): void {
  if (isSplunk(url.href) && protocol === 'http/json') {
    throw refused('protocol', 'Splunk takes protobuf only; set protocol to http.');
  }
  if (/^otlp\..*(datadoghq\.(com|eu)|ddog-gov\.com)$/.test(url.hostname) && temporality === 'cumulative') {
    throw refused('temporality', "Datadog's OTLP intake takes delta only; set temporality to delta.");
  }
}

/** Where the secret goes; when that changes, the secret must be given again. */
export function destinationHost(destination: Destination): string {
  if (destination.type === 'dogstatsd') return destination.configuration.address;
  return new URL(destinationUrl(destination)).origin;
}

const refused = (field: string, sentence: string): WeirError =>
  new WeirError('invalid', sentence, { field: `destination.configuration.${field}` });
