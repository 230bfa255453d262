import { WeirError } from '../../domain/errors.js';
import { mostLabelBytes, mostLabels, type SeriesBatch } from '../series-batch.js';

/** Labels of one series, which are read in one go. Limits are asked later, and know no reader. */
const mostLabelsOfSeries = 4096;

/**
 * Of one request: each may be a few bytes of it, and is dozens in memory. Of what is said of metrics ten thousand are kept, and
 * native histograms are a dozen series each.
 */
const most = { series: 1_000_000, symbols: 1_000_000, 'native histograms': 100_000, 'metric descriptions': 100_000 };

/** Throws `invalid` for more of them than anyone sends. */
export function checkCount(what: keyof typeof most, count: number): void {
  if (count > most[what]) throw tooMany(`${most[what]} ${what}`);
}

export function checkLabelsOfSeries(count: number): void {
  if (count > mostLabelsOfSeries) throw tooMany(`${mostLabelsOfSeries} labels of one series`);
}

/** To be asked after each series. */
export function checkSize({ series, first, labelBytes }: SeriesBatch): void {
  checkCount('series', series);
  if (first[series]! > mostLabels) throw tooMany(`${mostLabels} labels`);
  if (labelBytes > mostLabelBytes)
    throw tooMany(`${mostLabelBytes} bytes of labels, each counted with every series that has it`);
}

const tooMany = (what: string): WeirError =>
  new WeirError('invalid', `The request has more than ${what}; send less at once.`);
