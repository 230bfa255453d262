import type { Clock } from '../domain/clock.js';
import { type CatalogueMetric, catalogue } from './catalogue.js';
import { cacheUsage, hitRatio, loadOf, relationships, type State, stateAfterDays, tick } from './instance-life.js';
import { type Profile, type Traits, traitsOf, within } from './profiles.js';

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

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
