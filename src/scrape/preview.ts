import type { Clock } from '../domain/clock.js';
import type { MetricsEndpoint } from '../domain/endpoint.js';
import { renderPage } from '../formats/page.js';
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

/** The page of these endpoints in the text format, likewise. */
export async function previewPage(endpoints: readonly MetricsEndpoint[], groups: GroupStore, clock: Clock) {
  const snapshot = await groups.snapshot(endpoints);
  const of = { endpoints, groups: snapshot, sources: [], now: clock.now(), refusedOf: () => undefined };
  return renderPage(assemble(of, new Relabelings()).parts, 'text');
}

/** The page of the endpoint as it is given, from what the store holds now; nothing is cached or changed. */
export async function previewEndpoint(endpoint: MetricsEndpoint, groups: GroupStore, clock: Clock): Promise<Preview> {
  const snapshot = await groups.snapshot([endpoint]);
  const of = { endpoints: [endpoint], groups: snapshot, sources: [], now: clock.now(), refusedOf: () => undefined };
  const { parts, relabeled } = assemble(of, new Relabelings());
  const series = snapshot.reduce((sum, { exposition }) => sum + exposition.lines.length - 1, 0);
  const counts = relabeled.get(endpoint.id) ?? { changed: 0, leftOut: { rule: 0, duplicate: 0, invalid: 0 } };
  return { page: renderPage(parts, 'text').toString(), series, changed: counts.changed, leftOut: counts.leftOut };
}
