import { isCumulative, type Point, type Window } from '../window.js';

/** Types of Datadog's v2 series. */
const [count, gauge] = [1, 3];
const longestTag = 200;

/**
 * The window as series of `POST /api/v2/series`, each as JSON. What only rises is sent as what was added (`count`, with
 * the seconds it was added in), everything else as `gauge`. What is not finite, and what is seen for the first time of
 * what only rises, is not sent. Points of one series stand together.
 */
export function datadogSeries(window: Window): string[] {
  const perSecond = window.kind === 'api_request.count';
  const all: string[] = [];
  for (const { name: family, type, points } of window.metrics) {
    const series = new Map<string, string>();
    for (const point of points) {
      const rises = isCumulative(type, family, point.name);
      const value = rises ? point.delta : point.value;
      if (value === undefined || !Number.isFinite(value) || (perSecond && value === 0)) continue;
      const seconds = rises ? Math.max(1, Math.round((point.time - point.from!) / 1000)) : undefined;
      const head = headOf(point, seconds);
      // A count of requests belongs to the second in which they came, a snapshot to the second in which it was taken.
      const at = Math.floor((perSecond ? point.from! : point.time) / 1000);
      const text = `{"timestamp":${at},"value":${value}}`;
      // A snapshot has each series once.
      const known = perSecond ? series.get(head) : undefined;
      if (perSecond) series.set(head, known === undefined ? text : `${known},${text}`);
      else all.push(`${head},"points":[${text}]}`);
    }
    for (const [head, texts] of series) all.push(`${head},"points":[${texts}]}`);
  }
  return all;
}

/** Everything of a series but its points and its last brace. */
function headOf({ name, labels }: Point, seconds: number | undefined): string {
  let tags = '';
  for (const [key, value] of labels) {
    if (value !== '') tags += `${tags === '' ? '' : ','}${quoted(cut(`${key}:${value}`))}`;
  }
  const kind = seconds === undefined ? `"type":${gauge}` : `"type":${count},"interval":${seconds}`;
  return `{"metric":"${metricName(name)}",${kind},"tags":[${tags}]`;
}

/** As JSON. Most texts need no escapes, and asking costs less than `JSON.stringify`. */
const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));
const plain = /^[ !#-[\]-~]*$/;

/** Letters, digits, underscores and dots, 200 at most. */
const metricName = (name: string): string => name.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 200);

/** Not through the middle of a character outside the basic plane. */
const cut = (tag: string): string => (tag.length <= longestTag ? tag : [...tag].slice(0, longestTag).join(''));

export const datadogBody = (series: readonly string[]): string => `{"series":[${series.join(',')}]}`;
