/** How an instance fares: `faulty` trips every usual alert and never recovers; the other two trip none. */
export type Profile = 'healthy' | 'busy' | 'faulty';

/** A gauge that stays within `middle ± (daily + drift)`: `daily` follows the time of day, `drift` wanders. */
interface Band {
  readonly middle: number;
  readonly daily: number;
  readonly drift: number;
}

/** What an instance is like. */
export interface Traits {
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

export const traitsOf: Record<Profile, Traits> = {
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

/** Where it stands at this time of day, having wandered this far. */
export const within = (band: Band, wave: number, drift: number): number =>
  band.middle + band.daily * wave + band.drift * drift;
