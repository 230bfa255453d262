import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/demo/catalogue.js';
import type { Profile } from '../../src/demo/profiles.js';
import { InstanceSimulator } from '../../src/demo/simulator.js';
import type { Clock } from '../../src/domain/clock.js';
import { seededRandom } from './seeded-random.js';

const stepSeconds = 10;
const profiles: readonly Profile[] = ['healthy', 'busy', 'faulty'];
const seeds = [1, 2];
const midnight = Date.UTC(2026, 0, 15);

/** The alert rules of the usual lesson, under the names the metrics really have. */
const alerts = {
  highCpu: 'neo4j_aura_cpu_usage / neo4j_aura_cpu_limit > 0.85',
  lowHitRatio: 'neo4j_dbms_page_cache_hit_ratio_per_minute < 0.98',
  highHeap: 'neo4j_dbms_vm_heap_used_ratio > 0.80',
  outOfMemory: 'increase(neo4j_aura_out_of_memory_errors_total[5m]) > 0',
  rollbacks:
    'rate(neo4j_database_transaction_rollbacks_total[10m]) / rate(neo4j_database_transaction_committed_total[10m]) > 0.05',
} as const;
type Alert = keyof typeof alerts;

type Values = Pick<ReadonlyMap<string, number>, 'get'>;

function start(profile: Profile, seed: number, at = midnight) {
  let elapsed = 0;
  const clock: Clock = { now: () => at + elapsed, monotonic: () => 123.4 + elapsed };
  const simulator = new InstanceSimulator({ profile, clock, random: seededRandom(seed) });
  return {
    page: () => simulator.exposition(),
    values: () => valuesOf(simulator.exposition()),
    pass: (seconds: number) => {
      elapsed += seconds * 1000;
    },
  };
}

function eachValue(page: string, take: (name: string, value: number) => void): void {
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    take(line.slice(0, line.indexOf('{')), Number(line.slice(line.lastIndexOf(' ') + 1)));
  }
}

function valuesOf(page: string): Values {
  const values = new Map<string, number>();
  eachValue(page, (name, value) => values.set(name, value));
  return values;
}

/** One page every ten seconds, the first at once. A column for each metric: the tests look at each value many times. */
function pages(profile: Profile, seed: number, steps: number, at = midnight): Values[] {
  const instance = start(profile, seed, at);
  const columns = new Map(catalogue.map(({ name }) => [name, new Array<number | undefined>(steps + 1)]));
  return Array.from({ length: steps + 1 }, (_, step) => {
    if (step > 0) instance.pass(stepSeconds);
    eachValue(instance.page(), (name, value) => {
      columns.get(name)![step] = value;
    });
    return { get: (name) => columns.get(name)?.[step] };
  });
}

/** More than a day of each. */
const days = new Map(profiles.map((profile) => [profile, pages(profile, 42, 10_000)]));

const of = (values: Values, name: string): number => {
  const value = values.get(name);
  if (value === undefined) throw new Error(`${name} is not on the page`);
  return value;
};

/** What the rules say of a history of pages ten seconds apart, the last being now; needs more than ten minutes. */
function firing(history: readonly Values[]): Set<Alert> {
  const now = history.at(-1)!;
  const ago = (seconds: number) => history.at(-1 - seconds / stepSeconds)!;
  const grown = (name: string, seconds: number) => of(now, name) - of(ago(seconds), name);
  const rules: Record<Alert, boolean> = {
    highCpu: of(now, 'neo4j_aura_cpu_usage') / of(now, 'neo4j_aura_cpu_limit') > 0.85,
    lowHitRatio: of(now, 'neo4j_dbms_page_cache_hit_ratio_per_minute') < 0.98,
    highHeap: of(now, 'neo4j_dbms_vm_heap_used_ratio') > 0.8,
    // The samples that a scrape every 30 s leaves in a window of five minutes may span as little as 4.5.
    outOfMemory: grown('neo4j_aura_out_of_memory_errors_total', 270) > 0,
    rollbacks:
      grown('neo4j_database_transaction_rollbacks_total', 600) /
        grown('neo4j_database_transaction_committed_total', 600) >
      0.05,
  };
  return new Set((Object.keys(rules) as Alert[]).filter((alert) => rules[alert]));
}

describe('the catalogue', () => {
  test('holds the 33 documented metrics', () => {
    const count = (field: 'type' | 'scope', value: string) => catalogue.filter((m) => m[field] === value).length;
    expect(new Set(catalogue.map((metric) => metric.name)).size).toBe(33);
    expect([count('type', 'gauge'), count('type', 'counter')]).toEqual([18, 15]);
    expect([count('scope', 'database'), count('scope', 'instance'), count('scope', 'resource')]).toEqual([18, 11, 4]);
  });
});

describe.each(profiles)('the page of a %s instance', (profile) => {
  test('has help, type and one sample for each metric of the catalogue, and nothing else', () => {
    const lines = start(profile, 1).page().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines).toHaveLength(3 * 33);
    catalogue.forEach((metric, index) => {
      const [help, type, sample] = lines.slice(index * 3, index * 3 + 3);
      const database = metric.scope === 'database' ? ',database="neo4j"' : '';
      expect(help).toBe(`# HELP ${metric.name} ${metric.help}`);
      expect(type).toBe(`# TYPE ${metric.name} ${metric.type}`);
      expect(sample).toMatch(/ \d+(\.\d+)?$/);
      expect(sample!.slice(0, sample!.lastIndexOf(' '))).toBe(
        `${metric.name}{aggregation="${metric.aggregation}"${database}}`,
      );
    });
  });

  test('begins as that of an instance that has been up for days', () => {
    const values = start(profile, 1).values();
    const atZero = catalogue.filter((metric) => metric.type === 'counter' && of(values, metric.name) < 100);
    const mayBeSmall = [
      'neo4j_database_transaction_peak_concurrent_total',
      ...(profile === 'faulty' ? [] : ['neo4j_aura_out_of_memory_errors_total']),
    ];
    expect(atZero.map((metric) => metric.name).filter((name) => !mayBeSmall.includes(name))).toEqual([]);
  });

  test('does not depend on how often it is asked for', () => {
    const often = start(profile, 7);
    const seldom = start(profile, 7);
    for (let round = 0; round < 5; round += 1) {
      for (let step = 0; step < 14; step += 1) {
        often.pass(4.5);
        often.page();
      }
      seldom.pass(63);
      expect(often.page()).toBe(seldom.page());
    }
  });

  test('moves with time and only with time', () => {
    const instance = start(profile, 1);
    const before = instance.page();
    expect(instance.page()).toBe(before);
    instance.pass(3600);
    const after = instance.values();
    const earlier = valuesOf(before);
    const still = catalogue.map((metric) => metric.name).filter((name) => of(after, name) === of(earlier, name));
    const mayStandStill = [
      'neo4j_aura_cpu_limit',
      'neo4j_aura_storage_limit',
      'neo4j_cluster_raft_is_leader',
      'neo4j_database_transaction_peak_concurrent_total',
      'neo4j_dbms_bolt_connections_running',
      'neo4j_database_transaction_active_read',
      'neo4j_database_transaction_active_write',
      'neo4j_dbms_vm_gc_time_g1_old_generation_total',
      ...(profile === 'faulty' ? [] : ['neo4j_aura_out_of_memory_errors_total']),
    ];
    expect(still.filter((name) => !mayStandStill.includes(name))).toEqual([]);
  });

  test('is busier in the afternoon than in the small hours', () => {
    const queries = (hour: number) => {
      const history = pages(profile, 3, 180, midnight + hour * 3_600_000);
      const name = 'neo4j_db_query_execution_success_total';
      return of(history.at(-1)!, name) - of(history[0]!, name);
    };
    expect(queries(16)).toBeGreaterThan(queries(4) * 1.2);
  });
});

describe.each(profiles)('over 10,000 steps, a %s instance', (profile) => {
  const history = days.get(profile)!;
  const counters = catalogue.filter((metric) => metric.type === 'counter').map((metric) => metric.name);
  const fractional = new Set(['ratio', 'cores']);
  const integers = catalogue
    .filter((metric) => !fractional.has(metric.unit) && !metric.name.includes('latency'))
    .map((metric) => metric.name);

  /** The steps at which something does not hold, as a short list. */
  const breaches = (holds: (values: Values, before: Values | undefined) => boolean): number[] => {
    const found: number[] = [];
    history.forEach((values, step) => {
      if (!holds(values, history[step - 1])) found.push(step);
    });
    return found.slice(0, 5);
  };
  const short: Record<string, string> = Object.fromEntries(
    catalogue.map((metric) => [metric.name.replace(/^neo4j_(aura|dbms|database|db|cluster)_/, ''), metric.name]),
  );
  const at = (values: Values, name: string): number => of(values, short[name] ?? name);

  test.each(counters)('never lets %s fall', (name) => {
    expect(breaches((values, before) => before === undefined || of(values, name) >= of(before, name))).toEqual([]);
  });

  test.each(integers)('counts %s in whole numbers, none below zero', (name) => {
    expect(breaches((values) => Number.isSafeInteger(of(values, name)) && of(values, name) >= 0)).toEqual([]);
  });

  test.each(catalogue.filter((metric) => metric.range !== undefined).map((m) => [m.name, m.range!] as const))(
    'keeps %s within %j',
    (name, [low, high]) => {
      expect(breaches((values) => of(values, name) >= low && of(values, name) <= high)).toEqual([]);
    },
  );

  test('keeps CPU and store within their limits', () => {
    expect(breaches((v) => at(v, 'cpu_usage') > 0 && at(v, 'cpu_usage') <= at(v, 'cpu_limit'))).toEqual([]);
    expect(breaches((v) => at(v, 'store_size_database') < at(v, 'storage_limit'))).toEqual([]);
  });

  test('has as many open connections as were opened and not closed', () => {
    const open = (v: Values) => at(v, 'bolt_connections_opened_total') - at(v, 'bolt_connections_closed_total');
    expect(breaches((v) => open(v) > 0)).toEqual([]);
    expect(breaches((v) => at(v, 'bolt_connections_running') + at(v, 'bolt_connections_idle') === open(v))).toEqual([]);
  });

  test('runs no more transactions than connections, and remembers the peak', () => {
    const active = (v: Values) => at(v, 'transaction_active_read') + at(v, 'transaction_active_write');
    expect(breaches((v) => active(v) <= at(v, 'bolt_connections_running'))).toEqual([]);
    expect(breaches((v) => active(v) <= at(v, 'transaction_peak_concurrent_total'))).toEqual([]);
  });

  test('orders its latency quantiles', () => {
    const quantile = (v: Values, q: number) => at(v, `query_execution_internal_latency_q${q}`);
    expect(breaches((v) => quantile(v, 50) > 0)).toEqual([]);
    expect(breaches((v) => quantile(v, 50) <= quantile(v, 75) && quantile(v, 75) <= quantile(v, 99))).toEqual([]);
  });

  test('commits what succeeded, rolls back what failed, and numbers the writes among the commits', () => {
    const grown = (v: Values, b: Values, name: string) => at(v, name) - at(b, name);
    const each = (holds: (growth: (name: string) => number) => boolean) =>
      breaches((v, b) => b === undefined || holds((name) => grown(v, b, name)));
    // One transaction may have gathered its queries in an earlier step.
    expect(each((g) => g('transaction_committed_total') <= g('query_execution_success_total') + 1)).toEqual([]);
    expect(each((g) => g('transaction_committed_total') >= g('query_execution_success_total') / 2 - 1)).toEqual([]);
    expect(each((g) => g('transaction_rollbacks_total') >= g('query_execution_failure_total'))).toEqual([]);
    expect(each((g) => g('transaction_last_committed_tx_id_total') <= g('transaction_committed_total') + 1)).toEqual(
      [],
    );
    expect(each((g) => g('transaction_last_committed_tx_id_total') > 0)).toEqual([]);
  });

  test('adds the time of each checkpoint to the total', () => {
    const matches = (v: Values, before: Values | undefined) => {
      if (before === undefined) return true;
      const events = at(v, 'check_point_events_total') - at(before, 'check_point_events_total');
      const time = at(v, 'check_point_total_time_total') - at(before, 'check_point_total_time_total');
      return events === 0 ? time === 0 : events === 1 && time === at(v, 'check_point_duration');
    };
    expect(breaches(matches)).toEqual([]);
    const events = at(history.at(-1)!, 'check_point_events_total') - at(history[0]!, 'check_point_events_total');
    // A good day, with one checkpoint about every quarter of an hour.
    expect(events).toBeGreaterThan(95);
    expect(events).toBeLessThan(125);
  });

  test('has one leader', () => {
    expect(breaches((v) => at(v, 'raft_is_leader') === 1)).toEqual([]);
  });
});

describe('the usual alert rules', () => {
  const windowSteps = 600 / stepSeconds;
  const names = Object.keys(alerts) as Alert[];

  test.each(seeds)(
    'all fire for a faulty instance ten minutes after its start, whatever the hour (seed %i)',
    (seed) => {
      for (const hour of [0, 4, 10, 16, 22]) {
        const history = pages('faulty', seed, windowSteps, midnight + hour * 3_600_000);
        expect([...firing(history)], `at ${hour}:10`).toEqual(names);
      }
    },
  );

  test('stay on for a faulty instance all day, so that "for: 15m" is reached', () => {
    const history = days.get('faulty')!;
    const lapses: string[] = [];
    for (let end = windowSteps; end < history.length; end += 1) {
      const on = firing(history.slice(end - windowSteps, end + 1));
      lapses.push(...names.filter((alert) => !on.has(alert)).map((alert) => `${alert} at step ${end}`));
    }
    expect(lapses.slice(0, 5)).toEqual([]);
  });

  describe.each(['healthy', 'busy'] as const)('for a %s instance', (profile) => {
    test('never fire, at any moment of a day', () => {
      const history = days.get(profile)!;
      const fired: string[] = [];
      for (let end = windowSteps; end < history.length; end += 1) {
        fired.push(...[...firing(history.slice(end - windowSteps, end + 1))].map((alert) => `${alert} at step ${end}`));
      }
      expect(fired.slice(0, 5)).toEqual([]);
    });
  });
});
