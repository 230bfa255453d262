import { arrivals, between, wander } from './chance.js';
import { type Traits, within } from './profiles.js';

/** An instance at one moment, and what it has counted since it came up. */
export interface State {
  /** −1 in the small hours (UTC), 1 in the afternoon. */
  wave: number;
  /** Each wanders in [−1, 1]. CPU, queries and connections share `load`, so they rise and fall together. */
  readonly drift: { load: number; heap: number; cache: number; latency: number };
  running: number;
  activeWrites: number;
  heapGarbage: number;
  nodes: number;
  storeBytes: number;
  checkpointMs: number;
  secondsToCheckpoint: number;
  secondsToOutOfMemory: number;
  /** What a transaction has gathered of its queries and writes, carried to the next tick. */
  transactionCarry: number;
  writeCarry: number;
  readonly total: {
    successes: number;
    failures: number;
    committed: number;
    rollbacks: number;
    lastTransaction: number;
    peak: number;
    opened: number;
    closed: number;
    replans: number;
    evictions: number;
    youngMs: number;
    oldMs: number;
    checkpoints: number;
    checkpointMs: number;
    outOfMemory: number;
  };
}

/** The totals that some days of uptime at the usual rates would have left behind. */
export function stateAfterDays(traits: Traits, now: number, random: () => number): State {
  const uptime = Math.round(between([3, 10], random) * 86_400);
  const successes = Math.round(traits.queriesPerSecond * (1 - traits.failureShare) * uptime);
  const failures = Math.round(traits.queriesPerSecond * traits.failureShare * uptime);
  const committed = Math.round(successes / queriesPerTransaction);
  const writesBeforeStart = Math.round(traits.nodes / nodesPerWrite);
  const closed = Math.round(traits.connections * closingsPerConnectionSecond * uptime);
  const checkpoints = Math.round(uptime / mean(checkpointSeconds));
  const pauses = uptime / secondsPerYoungCollection(traits);
  const nodes = Math.round(traits.nodes * between([0.85, 0.95], random));
  const outOfMemory = traits.outOfMemorySeconds;
  return {
    wave: waveAt(now),
    drift: {
      load: between([-0.6, 0.6], random),
      heap: between([-0.6, 0.6], random),
      cache: between([-0.6, 0.6], random),
      latency: between([-0.6, 0.6], random),
    },
    running: 0,
    activeWrites: 0,
    heapGarbage: random() * traits.heapGarbage,
    nodes,
    storeBytes: storeSize(nodes),
    checkpointMs: traits.checkpointMs,
    secondsToCheckpoint: random() * checkpointSeconds[0],
    secondsToOutOfMemory: outOfMemory === null ? Number.POSITIVE_INFINITY : random() * outOfMemory[0],
    transactionCarry: 0,
    writeCarry: 0,
    total: {
      successes,
      failures,
      committed,
      rollbacks: failures + Math.round(committed / 1000),
      lastTransaction: writesBeforeStart + Math.round(committed * traits.writeShare),
      peak: Math.ceil(3 * concurrency(traits)) + 4,
      opened: closed + traits.connections,
      closed,
      replans: Math.round(successes * traits.replansPerQuery),
      evictions: Math.round(successes * pagesPerQuery * (1 - traits.hitRatio.middle) * traits.cacheUsage.middle),
      youngMs: Math.round(pauses * mean(youngPauseMs)),
      oldMs: Math.round((uptime / traits.oldCollectionEverySeconds) * mean(oldPauseMs)),
      checkpoints,
      checkpointMs: Math.round(checkpoints * traits.checkpointMs * between([0.95, 1.15], random)),
      // A fault of the last hours, not of the whole uptime.
      outOfMemory: outOfMemory === null ? 0 : Math.round((6 * 3600) / mean(outOfMemory)),
    },
  };
}

/** One second of life. */
export function tick(state: State, traits: Traits, now: number, random: () => number): void {
  state.wave = waveAt(now);
  state.drift.load = wander(state.drift.load, 300, random);
  state.drift.heap = wander(state.drift.heap, 900, random);
  state.drift.cache = wander(state.drift.cache, 600, random);
  state.drift.latency = wander(state.drift.latency, 120, random);
  const load = loadOf(state);
  runQueries(state, traits, load, random);
  moveConnections(state, traits, load, random);
  collectGarbage(state, traits, load, random);
  checkpoint(state, traits, random);
}

/** Successful queries commit transactions, failed ones roll theirs back; writes grow the store. */
function runQueries(state: State, traits: Traits, load: number, random: () => number): void {
  const { total } = state;
  const rate = traits.queriesPerSecond * load;
  const successes = arrivals(rate * (1 - traits.failureShare), random);
  const failures = arrivals(rate * traits.failureShare, random);
  state.transactionCarry += successes / queriesPerTransaction;
  const committed = Math.floor(state.transactionCarry);
  state.transactionCarry -= committed;
  state.writeCarry += committed * traits.writeShare;
  const writes = Math.floor(state.writeCarry);
  state.writeCarry -= writes;

  total.successes += successes;
  total.failures += failures;
  total.committed += committed;
  // Beside the failed ones, an application now and then changes its mind.
  total.rollbacks += failures + arrivals(committed / 1000, random);
  total.lastTransaction += writes;
  total.replans += arrivals(successes * traits.replansPerQuery, random);
  const misses = successes * pagesPerQuery * (1 - hitRatio(state, traits));
  total.evictions += arrivals(misses * cacheUsage(state, traits), random);
  // What is deleted grows with what there is, so the store finds its size instead of filling the disk.
  const created = arrivals(writes * nodesPerWrite, random);
  state.nodes += created - arrivals((writes * nodesPerWrite * state.nodes) / traits.nodes, random);
  state.storeBytes = Math.max(state.storeBytes, storeSize(state.nodes));
}

/** Connections come and go around what the load asks for; those that run work hold the active transactions. */
function moveConnections(state: State, traits: Traits, load: number, random: () => number): void {
  const { total } = state;
  const open = total.opened - total.closed;
  const wanted = traits.connections * load;
  total.closed += Math.min(
    open,
    arrivals(open * closingsPerConnectionSecond + Math.max(0, open - wanted) / 60, random),
  );
  total.opened += arrivals(open * closingsPerConnectionSecond + Math.max(0, wanted - open) / 60, random);
  state.running = Math.min(total.opened - total.closed, arrivals(concurrency(traits) * load, random));
  state.activeWrites = Math.min(state.running, arrivals(state.running * traits.writeShare, random));
  total.peak = Math.max(total.peak, state.running);
}

/** Garbage fills the young generation until it is collected; an out-of-memory error forces a full collection. */
function collectGarbage(state: State, traits: Traits, load: number, random: () => number): void {
  const { total } = state;
  state.heapGarbage += (traits.heapGarbage / secondsPerYoungCollection(traits)) * load;
  if (state.heapGarbage >= traits.heapGarbage) {
    state.heapGarbage = 0;
    total.youngMs += Math.round(between(youngPauseMs, random));
  }
  let collections = arrivals(1 / traits.oldCollectionEverySeconds, random);
  state.secondsToOutOfMemory -= 1;
  if (traits.outOfMemorySeconds !== null && state.secondsToOutOfMemory <= 0) {
    state.secondsToOutOfMemory = between(traits.outOfMemorySeconds, random);
    total.outOfMemory += 1;
    collections += 1;
  }
  for (; collections > 0; collections -= 1) total.oldMs += Math.round(between(oldPauseMs, random));
}

function checkpoint(state: State, traits: Traits, random: () => number): void {
  state.secondsToCheckpoint -= 1;
  if (state.secondsToCheckpoint > 0) return;
  state.secondsToCheckpoint = between(checkpointSeconds, random);
  state.checkpointMs = Math.round(traits.checkpointMs * loadOf(state) * between([0.8, 1.3], random));
  state.total.checkpoints += 1;
  state.total.checkpointMs += state.checkpointMs;
}

/** A successful transaction holds this many queries; a slower rest lifts the mean query to this many medians. */
const queriesPerTransaction = 1.25;
const meanPerMedian = 2.5;
const pagesPerQuery = 180;
const closingsPerConnectionSecond = 1 / 600;
const nodesPerWrite = 0.12;
const relationshipsPerNode = 2.4;
const checkpointSeconds: readonly [number, number] = [840, 960];

const youngPauseMs: readonly [number, number] = [15, 45];
const oldPauseMs: readonly [number, number] = [250, 900];

/** A heap with little room left fills up sooner. */
const secondsPerYoungCollection = (traits: Traits): number => 150 * traits.heapGarbage;
/** 1 on average, between 0.5 and 1.5. */
export const loadOf = (state: State): number => 1 + 0.3 * state.wave + 0.2 * state.drift.load;
/** Queries in flight at an average load: Little's law. */
const concurrency = (traits: Traits): number => (traits.queriesPerSecond * traits.medianMs * meanPerMedian) / 1000;
export const hitRatio = (state: State, traits: Traits): number =>
  within(traits.hitRatio, state.wave, state.drift.cache);
export const cacheUsage = (state: State, traits: Traits): number =>
  within(traits.cacheUsage, state.wave, state.drift.cache);
export const relationships = (nodes: number): number => Math.round(nodes * relationshipsPerNode);
/** Bytes for records and properties, in whole pages of 8 KiB. */
const storeSize = (nodes: number): number => Math.ceil((nodes * 260 + relationships(nodes) * 120) / 8192) * 8192;

const dayMs = 86_400_000;
const waveAt = (now: number): number => -Math.cos(((now % dayMs) / dayMs - 4 / 24) * 2 * Math.PI);

const mean = ([low, high]: readonly [number, number]): number => (low + high) / 2;
