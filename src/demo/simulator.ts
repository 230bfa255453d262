import type { Clock } from '../domain/clock.js';
import { type CatalogueMetric, catalogue } from './catalogue.js';

/** How an instance fares: `faulty` trips every usual alert and never recovers; the other two trip none. */
export type Profile = 'healthy' | 'busy' | 'faulty';

export interface SimulatorOptions {
  readonly profile: Profile;
  readonly clock: Clock;
  /** Uniform in [0, 1). Two simulators with the same sequence and clock give the same pages. */
  readonly random: () => number;
}

/**
 * One database instance that exists only as numbers. It lives in ticks of one second, so its pages depend on how much
 * time has passed, never on how often they were asked for. It begins as an instance that has been up for days.
 */
export class InstanceSimulator {
  readonly #traits: Traits;
  readonly #random: () => number;
  readonly #clock: Clock;
  readonly #bornAt: number;
  readonly #bornMonotonic: number;
  readonly #state: State;
  #ticks = 0;

  constructor({ profile, clock, random }: SimulatorOptions) {
    this.#traits = traitsOf[profile];
    this.#random = random;
    this.#clock = clock;
    this.#bornAt = clock.now();
    this.#bornMonotonic = clock.monotonic();
    this.#state = stateAfterDays(this.#traits, this.#bornAt, random);
    tick(this.#state, this.#traits, this.#bornAt, random);
  }

  /** All metrics of the catalogue as they are now, in text format 0.0.4. */
  exposition(): string {
    const due = Math.floor((this.#clock.monotonic() - this.#bornMonotonic) / tickMs);
    while (this.#ticks < due) {
      this.#ticks += 1;
      tick(this.#state, this.#traits, this.#bornAt + this.#ticks * tickMs, this.#random);
    }
    return render(valuesOf(this.#state, this.#traits));
  }
}

const tickMs = 1000;

/** A gauge that stays within `middle ± (daily + drift)`: `daily` follows the time of day, `drift` wanders. */
interface Band {
  readonly middle: number;
  readonly daily: number;
  readonly drift: number;
}

interface Traits {
  readonly cpuCores: number;
  readonly cpuShare: Band;
  readonly storageBytes: number;
  /** Share of the heap that survives a collection; garbage comes on top until `heapGarbage` is reached. */
  readonly heapLive: Band;
  readonly heapGarbage: number;
  readonly oldCollectionEverySeconds: number;
  /** Shortest and longest time between two out-of-memory errors; `null` when there are none. */
  readonly outOfMemorySeconds: readonly [number, number] | null;
  readonly hitRatio: Band;
  readonly cacheUsage: Band;
  readonly connections: number;
  readonly queriesPerSecond: number;
  readonly failureShare: number;
  readonly writeShare: number;
  readonly replansPerQuery: number;
  readonly medianMs: number;
  readonly checkpointMs: number;
  readonly nodes: number;
}

const gib = 2 ** 30;

const traitsOf: Record<Profile, Traits> = {
  healthy: {
    cpuCores: 4,
    cpuShare: { middle: 0.36, daily: 0.12, drift: 0.1 },
    storageBytes: 32 * gib,
    heapLive: { middle: 0.42, daily: 0.02, drift: 0.06 },
    heapGarbage: 0.2,
    oldCollectionEverySeconds: 7200,
    outOfMemorySeconds: null,
    hitRatio: { middle: 0.998, daily: -0.0005, drift: 0.0014 },
    cacheUsage: { middle: 0.81, daily: 0.01, drift: 0.03 },
    connections: 24,
    queriesPerSecond: 60,
    failureShare: 0.003,
    writeShare: 0.25,
    replansPerQuery: 0.00005,
    medianMs: 8,
    checkpointMs: 1200,
    nodes: 780_000,
  },
  busy: {
    cpuCores: 8,
    cpuShare: { middle: 0.62, daily: 0.09, drift: 0.08 },
    storageBytes: 128 * gib,
    heapLive: { middle: 0.54, daily: 0.02, drift: 0.05 },
    heapGarbage: 0.14,
    oldCollectionEverySeconds: 2400,
    outOfMemorySeconds: null,
    hitRatio: { middle: 0.991, daily: -0.002, drift: 0.004 },
    cacheUsage: { middle: 0.96, daily: 0.005, drift: 0.02 },
    connections: 90,
    queriesPerSecond: 260,
    failureShare: 0.008,
    writeShare: 0.3,
    replansPerQuery: 0.0001,
    medianMs: 12,
    checkpointMs: 4500,
    nodes: 5_400_000,
  },
  faulty: {
    cpuCores: 2,
    cpuShare: { middle: 0.94, daily: 0.01, drift: 0.04 },
    storageBytes: 32 * gib,
    heapLive: { middle: 0.88, daily: 0.01, drift: 0.03 },
    heapGarbage: 0.06,
    oldCollectionEverySeconds: 60,
    // Never more than three minutes apart: every window of five minutes then holds an increase, at any scrape interval.
    outOfMemorySeconds: [60, 180],
    hitRatio: { middle: 0.945, daily: -0.005, drift: 0.02 },
    cacheUsage: { middle: 0.992, daily: 0, drift: 0.006 },
    connections: 60,
    queriesPerSecond: 110,
    failureShare: 0.09,
    writeShare: 0.35,
    replansPerQuery: 0.003,
    medianMs: 55,
    checkpointMs: 38_000,
    nodes: 2_900_000,
  },
};

/** A successful transaction holds this many queries; a slower rest lifts the mean query to this many medians. */
const queriesPerTransaction = 1.25;
const meanPerMedian = 2.5;
const pagesPerQuery = 180;
const closingsPerConnectionSecond = 1 / 600;
const nodesPerWrite = 0.12;
const relationshipsPerNode = 2.4;
const checkpointSeconds: readonly [number, number] = [840, 960];

interface State {
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
function stateAfterDays(traits: Traits, now: number, random: () => number): State {
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
function tick(state: State, traits: Traits, now: number, random: () => number): void {
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

const youngPauseMs: readonly [number, number] = [15, 45];
const oldPauseMs: readonly [number, number] = [250, 900];

/** A heap with little room left fills up sooner. */
const secondsPerYoungCollection = (traits: Traits): number => 150 * traits.heapGarbage;
/** 1 on average, between 0.5 and 1.5. */
const loadOf = (state: State): number => 1 + 0.3 * state.wave + 0.2 * state.drift.load;
/** Queries in flight at an average load: Little's law. */
const concurrency = (traits: Traits): number => (traits.queriesPerSecond * traits.medianMs * meanPerMedian) / 1000;
const within = (band: Band, wave: number, drift: number): number =>
  band.middle + band.daily * wave + band.drift * drift;
const hitRatio = (state: State, traits: Traits): number => within(traits.hitRatio, state.wave, state.drift.cache);
const cacheUsage = (state: State, traits: Traits): number => within(traits.cacheUsage, state.wave, state.drift.cache);
const relationships = (nodes: number): number => Math.round(nodes * relationshipsPerNode);
/** Bytes for records and properties, in whole pages of 8 KiB. */
const storeSize = (nodes: number): number => Math.ceil((nodes * 260 + relationships(nodes) * 120) / 8192) * 8192;

function valuesOf(state: State, traits: Traits): Record<string, number> {
  const { total, drift, wave } = state;
  const q50 = traits.medianMs * (0.7 + 0.3 * loadOf(state)) * (1 + 0.2 * drift.latency);
  const q75 = q50 * (1.7 + 0.2 * drift.load);
  const q99 = q75 * (5 + 1.5 * drift.latency);
  return {
    neo4j_aura_out_of_memory_errors_total: total.outOfMemory,
    neo4j_aura_cpu_limit: traits.cpuCores,
    neo4j_aura_cpu_usage: rounded(traits.cpuCores * within(traits.cpuShare, wave, drift.load), 3),
    neo4j_aura_storage_limit: traits.storageBytes,
    neo4j_dbms_vm_heap_used_ratio: rounded(within(traits.heapLive, wave, drift.heap) + state.heapGarbage, 4),
    neo4j_dbms_page_cache_hit_ratio_per_minute: rounded(hitRatio(state, traits), 5),
    neo4j_dbms_page_cache_usage_ratio: rounded(cacheUsage(state, traits), 4),
    neo4j_dbms_bolt_connections_running: state.running,
    neo4j_dbms_bolt_connections_idle: total.opened - total.closed - state.running,
    neo4j_dbms_bolt_connections_closed_total: total.closed,
    neo4j_dbms_bolt_connections_opened_total: total.opened,
    neo4j_dbms_vm_gc_time_g1_young_generation_total: total.youngMs,
    neo4j_dbms_vm_gc_time_g1_old_generation_total: total.oldMs,
    neo4j_database_cypher_replan_events_total: total.replans,
    neo4j_database_transaction_active_read: state.running - state.activeWrites,
    neo4j_database_transaction_active_write: state.activeWrites,
    neo4j_database_transaction_committed_total: total.committed,
    neo4j_database_transaction_peak_concurrent_total: total.peak,
    neo4j_database_transaction_rollbacks_total: total.rollbacks,
    neo4j_database_check_point_events_total: total.checkpoints,
    neo4j_database_check_point_total_time_total: total.checkpointMs,
    neo4j_database_check_point_duration: state.checkpointMs,
    neo4j_database_count_relationship: relationships(state.nodes),
    neo4j_database_count_node: state.nodes,
    neo4j_database_store_size_database: state.storeBytes,
    neo4j_dbms_page_cache_evictions_total: total.evictions,
    neo4j_db_query_execution_success_total: total.successes,
    neo4j_db_query_execution_failure_total: total.failures,
    neo4j_db_query_execution_internal_latency_q99: rounded(q99, 3),
    neo4j_db_query_execution_internal_latency_q75: rounded(q75, 3),
    neo4j_db_query_execution_internal_latency_q50: rounded(q50, 3),
    neo4j_database_transaction_last_committed_tx_id_total: total.lastTransaction,
    // The members are combined by MAX, and one of them always leads.
    neo4j_cluster_raft_is_leader: 1,
  };
}

function render(values: Record<string, number>): string {
  let page = '';
  for (const metric of catalogue) {
    const value = values[metric.name];
    if (value === undefined) throw new Error(`The simulator has no value for ${metric.name}.`);
    page += `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n`;
    page += `${metric.name}{${labelsOf(metric)}} ${value}\n`;
  }
  return page;
}

/** Without `instance_id`: that label is the gateway's to add. */
const labelsOf = (metric: CatalogueMetric): string =>
  `aggregation="${metric.aggregation}"${metric.scope === 'database' ? ',database="neo4j"' : ''}`;

const dayMs = 86_400_000;
const waveAt = (now: number): number => -Math.cos(((now % dayMs) / dayMs - 4 / 24) * 2 * Math.PI);

/** The next step of a bounded walk around 0 that forgets where it was in about `seconds`. */
function wander(position: number, seconds: number, random: () => number): number {
  const step = 0.45 * Math.sqrt(6 / seconds) * (2 * random() - 1);
  return Math.max(-1, Math.min(1, position * (1 - 1 / seconds) + step));
}

/** How many of something that happens `expected` times on average (Poisson; its normal shape where that is as good). */
function arrivals(expected: number, random: () => number): number {
  if (expected > 20) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(expected + Math.sqrt(expected) * normal));
  }
  const limit = Math.exp(-expected);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

const between = ([low, high]: readonly [number, number], random: () => number): number => low + (high - low) * random();
const mean = ([low, high]: readonly [number, number]): number => (low + high) / 2;
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
