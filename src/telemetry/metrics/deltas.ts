import type { HistogramSeries, NumberSeries } from './registry.js';

/** How much counters and histograms have grown since they were last asked for. */
export class Deltas {
  private readonly numbers = new WeakMap<NumberSeries, number>();
  private readonly histograms = new WeakMap<HistogramSeries, { counts: readonly number[]; sum: number }>();

  ofCounter(series: NumberSeries): number {
    const before = this.numbers.get(series) ?? 0;
    this.numbers.set(series, series.value);
    return series.value - before;
  }

  ofHistogram(series: HistogramSeries): { counts: number[]; sum: number } {
    const before = this.histograms.get(series);
    this.histograms.set(series, { counts: [...series.counts], sum: series.sum });
    return {
      counts: series.counts.map((count, at) => count - (before?.counts[at] ?? 0)),
      sum: series.sum - (before?.sum ?? 0),
    };
  }
}
