import type { Steps } from '../../src/domain/turns.js';
import { atOnce } from '../../src/domain/turns.js';
import type { Attributes, Metric, OtlpSink, Point } from '../../src/formats/otlp/request.js';

export interface WholeRequest {
  readonly resources: { attributes: Attributes; metrics: (Metric & { points: Point[] })[] }[];
}

/** All that a reader of OTLP tells of, as it stands in the request. */
export function wholeRequest(read: (sink: OtlpSink) => Steps<void>): WholeRequest {
  const request: WholeRequest = { resources: [] };
  const metrics = () => request.resources.at(-1)!.metrics;
  const sink: OtlpSink = {
    resource: (attributes) => void request.resources.push({ attributes, metrics: [] }),
    metric: (metric) => metrics().push({ ...metric, points: [] }) > 0,
    wantsPoint: () => true,
    point: (point) => void metrics().at(-1)!.points.push(point),
    pass: () => {},
    endResource: () => {},
  };
  atOnce(read(sink));
  return request;
}

/** For those who want to know how it is read, not what. */
export const nobody: OtlpSink = {
  resource: () => {},
  metric: () => true,
  wantsPoint: () => true,
  point: () => undefined,
  pass: () => {},
  endResource: () => {},
};
