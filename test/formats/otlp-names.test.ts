import { expect, it } from 'vitest';
import { labelName, metricName } from '../../src/formats/otlp/names.js';

/** From the examples and rules of OpenTelemetry's "Prometheus and OpenMetrics Compatibility". */
it.each([
  ['system.memory.usage', 'By', 'gauge', false, 'system_memory_usage_bytes'],
  ['http.server.duration', 'ms', 'histogram', false, 'http_server_duration_milliseconds'],
  ['system.io', 'foo/bar', 'gauge', false, 'system_io_foo_per_bar'],
  ['network.speed', 'm/s', 'gauge', false, 'network_speed_meters_per_second'],
  ['cpu.utilization', '1', 'gauge', false, 'cpu_utilization_ratio'],
  ['requests', '1', 'sum', true, 'requests_total'],
  ['total.requests.total', '{requests}', 'sum', true, 'requests_total'],
  ['process.cpu.seconds', 's', 'sum', true, 'process_cpu_seconds_total'],
  ['disk.free', '%', 'gauge', false, 'disk_free_percent'],
  ['2xx..responses!!', '', 'gauge', false, '_2xx_responses'],
  ['ünï', '', 'gauge', false, 'n'],
  ['...', '', 'gauge', false, ''],
  ['constructor', 'constructor', 'gauge', false, 'constructor'],
] as const)('%s in %s as %s (monotonic: %s) is %s', (name, unit, kind, monotonic, expected) => {
  expect(metricName({ name, unit, kind, monotonic }, 'UnderscoreEscapingWithSuffixes')).toBe(expected);
});

/** As Prometheus' otlptranslator has it. */
it.each([
  ['http.server..duration', 'http_server_duration'],
  ['requests (total)', 'requests_total'],
  ['.a.', 'a'],
  ['a__b', 'a__b'],
  ['_a._b_', '_a__b_'],
  ['2xx.responses', '_2xx_responses'],
  ['%2xx', '_2xx'],
  ['ünï', 'n'],
  ['__', '__'],
  ['_.', ''],
  ['...', ''],
  ['', ''],
])('without suffixes only escapes: %s is "%s"', (name, expected) => {
  const metric = { name, unit: 'ms', kind: 'sum', monotonic: true } as const;
  expect(metricName(metric, 'UnderscoreEscapingWithoutSuffixes')).toBe(expected);
});

it('labels keep their underscores', () => {
  expect(['k8s.pod.name', '__x', '1st', 'ä'].map(labelName)).toEqual(['k8s_pod_name', '__x', 'key_1st', '_']);
});
