import { type Bench, digits, median, quotients, resultOf, say } from './harness.js';
import { Pinned, serverCore } from './processes.js';
import type { RenderReport, Sides } from './render-worker.js';
import { compiled } from './weir.js';

/** CPU of rendering a page of 10,000 series whose values have changed, against prom-client with the same series. */
export const renderBench: Bench = async ({ rounds, extras }) => {
  say('render of 10,000 series, in process');
  const args = ['--expose-gc', compiled('render-worker.js'), String(rounds), extras ? 'extras' : ''];
  const output = await new Pinned(serverCore, process.execPath, args, { progress: true }).finished(180);
  const { text, openMetrics, withParse, bytes } = JSON.parse(output) as RenderReport;
  const ratioOf = ({ ours, theirs }: Sides) => quotients(theirs, ours);
  const figures = ({ ours, theirs }: Sides) =>
    `${digits(median(ours))} against ${digits(median(theirs))} ms of CPU a page of ${bytes} bytes`;
  const results = [
    resultOf(
      {
        name: 'render-10000',
        what: 'speed of rendering a cold identity page of 10,000 series in 10 groups, against prom-client',
        target: 12,
        better: 'higher',
        detail: figures(text),
      },
      ratioOf(text),
    ),
  ];
  if (openMetrics !== undefined) {
    const what = 'the same as OpenMetrics, both';
    const name = 'render-10000-openmetrics';
    results.push(resultOf({ name, what, better: 'higher', detail: figures(openMetrics) }, ratioOf(openMetrics)));
  }
  if (withParse !== undefined) {
    const what = 'the same as text, with the parsing of the 10 pushes that brought the new values counted as ours';
    const name = 'render-10000-with-parse';
    results.push(resultOf({ name, what, better: 'higher', detail: figures(withParse) }, ratioOf(withParse)));
  }
  return results;
};
