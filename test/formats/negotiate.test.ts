import { describe, expect, it } from 'vitest';
import { acceptsGzip, contentTypes, negotiateFormat, pushSyntax } from '../../src/formats/negotiate.js';

const prometheus3 = (escaping: string): string =>
  `application/openmetrics-text;version=1.0.0;escaping=${escaping};q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=${escaping};q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2`;

describe('the format of a page', () => {
  it.each<[string, string | undefined, 'text' | 'openmetrics']>([
    [
      'Prometheus up to 2.48',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'openmetrics',
    ],
    [
      'Prometheus 2.49 to 2.55',
      'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
    [
      'Prometheus 3.0 to 3.3',
      'application/openmetrics-text;version=1.0.0;q=0.6;escaping=allow-utf-8,application/openmetrics-text;version=0.0.1;q=0.5;escaping=allow-utf-8,text/plain;version=1.0.0;q=0.4;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.3;escaping=allow-utf-8,*/*;q=0.2;escaping=allow-utf-8',
      'openmetrics',
    ],
    ['Prometheus 3.4 to 3.14', prometheus3('allow-utf-8'), 'openmetrics'],
    ['Prometheus 3 with underscores', prometheus3('underscores'), 'openmetrics'],
    ['Prometheus 3 with dots', prometheus3('dots'), 'openmetrics'],
    ['Prometheus 3 with values', prometheus3('values'), 'openmetrics'],
    [
      'Prometheus 3 with native histograms',
      `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,${prometheus3('allow-utf-8')}`,
      'openmetrics',
    ],
    [
      'Prometheus 3 with text first',
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,*/*;q=0.2',
      'text',
    ],
    ['vmagent', 'text/plain;version=0.0.4;q=1,*/*;q=0.1', 'text'],
    ['the Datadog agent', 'text/plain', 'text'],
    [
      'the Datadog agent with the latest specification',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1',
      'openmetrics',
    ],
    ['nri-prometheus', 'text/plain;version=0.0.4;q=1,*/*;q=0.1', 'text'],
    ['curl', '*/*', 'text'],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', 'text'],
    ['nothing said', undefined, 'text'],
    ['an empty header', '', 'text'],
    ['a blank header', '  ', 'text'],
  ])('%s', (_who, accept, format) => {
    expect(negotiateFormat(accept)).toBe(format);
  });

  it.each<[string, 'text' | 'openmetrics']>([
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"; Q=0.5, text/plain; q=0.4', 'openmetrics'],
    ['text/plain;q=0.4, application/openmetrics-text;q=0.5', 'openmetrics'],
    ['text/plain;q=0.5, application/openmetrics-text;q=0.4', 'text'],
    ['text/plain;q=0.5, application/openmetrics-text;q=0.5', 'text'],
    ['application/openmetrics-text;q=0.5, text/plain;q=0.5', 'openmetrics'],
    ['application/openmetrics-text;q=0.001, */*;q=0.002', 'text'],
    ['application/openmetrics-text;q=0.002, */*;q=0.001', 'openmetrics'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/openmetrics-text;q=0, */*', 'text'],
    ['application/openmetrics-text;q=0.0, application/*', 'text'],
    ['text/plain;q=0, */*', 'openmetrics'],
    ['*/*;q=0.5, text/plain;q=0', 'openmetrics'],
    ['text/plain;q=0, application/openmetrics-text;q=0, */*', 'text'],
    ['text/plain;q=0', 'text'],
    ['text/plain;version=0.0.4;q=0, text/plain;q=0.5, */*;q=0.1', 'text'],
    ['text/*', 'text'],
    ['application/*', 'openmetrics'],
    ['application/openmetrics-text;version=2.0.0', 'text'],
    ['application/openmetrics-text;version=2.0.0;q=1, application/openmetrics-text;version=1.0.0;q=0.1', 'openmetrics'],
    ['text/plain;version=1.0.0;q=1, application/openmetrics-text;q=0.1', 'openmetrics'],
    ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited', 'text'],
    ['application/json', 'text'],
    ['application/openmetrics-text;q=2, text/plain;q=0.1', 'text'],
    ['application/openmetrics-text;q=-1, text/plain;q=0.1', 'text'],
    ['application/openmetrics-text;q=high, text/plain;q=0.1', 'text'],
    ['application/openmetrics-text;q=, text/plain;q=0.1', 'text'],
    [',,;;q=,=;q=1,/', 'text'],
    [';q=1', 'text'],
  ])('%s', (accept, format) => {
    expect(negotiateFormat(accept)).toBe(format);
  });

  it('is told with its version and character set', () => {
    expect(contentTypes.text).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(contentTypes.openmetrics).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  });
});

describe('gzip', () => {
  it.each<[string, string]>([
    ['Prometheus, vmagent', 'gzip'],
    ['the Datadog agent', 'gzip, deflate'],
    ['a browser', 'gzip, deflate, br, zstd'],
    ['anything goes', '*'],
    ['anything but identity', 'identity;q=0, *'],
    ['an old name', 'x-gzip'],
    ['capitals', 'GZIP'],
    ['little wanted, but wanted', 'gzip;q=0.001'],
    ['as much as identity', 'identity, gzip'],
    ['more than others', 'br;q=0, gzip;q=0.5, *;q=0'],
  ])('is sent where it is asked for: %s', (_who, header) => {
    expect(acceptsGzip(header)).toBe(true);
  });

  it.each<[string, string | undefined]>([
    ['nothing said', undefined],
    ['an empty header', ''],
    ['identity only', 'identity'],
    ['refused', 'gzip;q=0'],
    ['refused in three digits', 'gzip;q=0.000'],
    ['refused, but anything else goes', 'gzip;q=0, *'],
    ['nothing goes', '*;q=0'],
    ['others only', 'br, zstd, deflate'],
    ['identity rather', 'identity;q=1, gzip;q=0.5'],
    ['identity rather than anything', 'identity, *;q=0.1'],
    ['a longer name', 'gzipped'],
    ['a weight that is none', 'gzip;q=much'],
    ['junk', ';,;q=1,='],
  ])('is not sent otherwise: %s', (_who, header) => {
    expect(acceptsGzip(header)).toBe(false);
  });
});

describe('the syntax of a push', () => {
  it.each<[string | undefined, 'text' | 'openmetrics' | undefined]>([
    [undefined, 'text'],
    ['', 'text'],
    ['text/plain', 'text'],
    ['text/plain; version=0.0.4', 'text'],
    ['text/plain; version=0.0.4; charset=utf-8', 'text'],
    ['text/plain; version=0.0.4; charset=utf-8; escaping=values', 'text'],
    ['TEXT/PLAIN;VERSION="0.0.4"', 'text'],
    ['application/x-www-form-urlencoded', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text; version=0.0.1', 'openmetrics'],
    ['application/openmetrics-text; version=2.0.0', undefined],
    ['text/plain; version=1.0.0; escaping=allow-utf-8', undefined],
    ['text/html', undefined],
    ['application/json', undefined],
    ['application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited', undefined],
    ['*/*', undefined],
  ])('%s', (contentType, syntax) => {
    expect(pushSyntax(contentType)).toBe(syntax);
  });
});
