import type { Recorder } from '../support/recorder.js';
import { json, upstream, vector } from './front-door.js';

type Labels = Record<string, string>;

/** A TSDB in a few lines: it knows equality matchers, and keeps to them unless it is told to leak. */
export interface Tsdb {
  readonly recorder: Recorder;
  readonly url: string;
  readonly series: [Labels, string][];
  metadata: Record<string, object[]>;
  /** Instead of filtering. */
  leaks: boolean;
  warnings: string[] | undefined;
  /** Instead of an answer. */
  fails: ReturnType<Recorder['answer']> | undefined;
}

export async function tsdb(...series: [Labels, string][]): Promise<Tsdb> {
  const recorder = await upstream(({ path, body }) => {
    if (self.fails !== undefined) return self.fails;
    if (path.startsWith('/prometheus/api/v1/metadata')) return json({ status: 'success', data: self.metadata });
    if (path !== '/prometheus/api/v1/query') return { status: 404 };
    const query = new URLSearchParams(body.toString()).get('query')!;
    const wanted = [...query.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!] as const);
    const found = self.series.filter(
      ([labels]) => self.leaks || wanted.every(([label, value]) => (labels[label] ?? '') === value),
    );
    return json({ ...vector(...found), ...(self.warnings === undefined ? {} : { warnings: self.warnings }) });
  });
  const self: Tsdb = {
    recorder,
    url: `${recorder.url}/prometheus`,
    series,
    metadata: {},
    leaks: false,
    warnings: undefined,
    fails: undefined,
  };
  return self;
}
