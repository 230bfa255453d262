import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import type { Turns } from '../domain/turns.js';
import { pageSteps } from '../formats/page.js';
import type { LeftOutReason } from '../formats/relabel/parts.js';
import type { GroupStore } from '../storage/store.js';
import { assemble } from './assembly.js';
import { Relabelings } from './relabelings.js';

/** What an endpoint would serve. */
export interface Preview {
  /** In the text format; without what only the server knows, of sources and refused series. */
  readonly page: string;
  /** It holds, without the gateway's own. */
  readonly series: number;
  /** Of them, served under other labels or another name. */
  readonly changed: number;
  readonly leftOut: Readonly<Record<LeftOutReason, number>>;
}

export interface PreviewOptions {
  readonly groups: Pick<GroupStore, 'snapshot'>;
  readonly clock: Clock;
  readonly turns: Turns;
}

/** The page of these endpoints in the text format, likewise. */
export const previewPage = async (endpoints: readonly MetricsEndpoint[], options: PreviewOptions): Promise<Buffer> =>
  (await preview(endpoints, options)).page;

/** The page of the endpoint as it is given, from what the store holds now; nothing is cached or changed. */
export async function previewEndpoint(endpoint: MetricsEndpoint, options: PreviewOptions): Promise<Preview> {
  const { page, series, relabeled } = await preview([endpoint], options);
  const counts = relabeled.get(endpoint.id) ?? { changed: 0, leftOut: { rule: 0, duplicate: 0, invalid: 0 } };
  return { page: page.toString(), series, changed: counts.changed, leftOut: counts.leftOut };
}

async function preview(endpoints: readonly MetricsEndpoint[], { groups, clock, turns }: PreviewOptions) {
  const now = clock.now();
  const snapshot = await groups.snapshot(endpoints);
  const of = { endpoints, groups: snapshot, sources: [], now, refusedOf: () => undefined };
  const series = snapshot.reduce((sum, { exposition }) => sum + exposition.lines.length - 1, 0);
  const { parts, relabeled } = await turns.do(assemble(of, new Relabelings()));
  return { page: await turns.do(pageSteps(parts, 'text')), relabeled, series };
}
