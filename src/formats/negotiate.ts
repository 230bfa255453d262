/** What a page can be served as. */
export type PageFormat = 'text' | 'openmetrics';

export const contentTypes: Record<PageFormat, string> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly q: number;
}

/**
 * The format an `Accept` header asks for, by its weights (RFC 9110 §12.5.1); the first listed wins among equals, as in
 * Prometheus' own negotiator. Text 0.0.4 where nothing or nothing we have is asked for: a scrape is never answered 406.
 */
export function negotiateFormat(accept: string | undefined): PageFormat {
  if (accept === undefined || accept.trim() === '') return 'text';
  const ranges = accept.split(',').map(readRange);
  const wanted = new Set(ranges.filter(({ q }) => q > 0).map(namedFormat));
  const refused = new Set(ranges.filter(({ q }) => q === 0).map(namedFormat));
  let best: { format: PageFormat; q: number } | undefined;
  for (const range of ranges) {
    // A wildcard does not bring back what is refused by name.
    const format = formatsOf(range).find((candidate) => wanted.has(candidate) || !refused.has(candidate));
    if (format !== undefined && range.q > 0 && (best === undefined || range.q > best.q)) best = { format, q: range.q };
  }
  return best?.format ?? 'text';
}

/**
 * Whether `Accept-Encoding` takes gzip, and identity not rather (RFC 9110 §12.5.3); without the header only identity is
 * sent.
 */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  if (acceptEncoding === undefined) return false;
  const ranges = acceptEncoding.split(',').map(readRange);
  const weightOf = (...names: string[]) => ranges.find(({ type }) => names.includes(type))?.q;
  const gzip = weightOf('gzip', 'x-gzip') ?? weightOf('*') ?? 0;
  return gzip > 0 && gzip >= (weightOf('identity') ?? 0);
}

/** The formats a range stands for, the preferred first. */
function formatsOf(range: MediaRange): PageFormat[] {
  if (range.type === '*/*') return ['text', 'openmetrics'];
  if (range.type === 'text/*') return ['text'];
  if (range.type === 'application/*') return ['openmetrics'];
  const named = namedFormat(range);
  return named === undefined ? [] : [named];
}

function namedFormat({ type, parameters }: MediaRange): PageFormat | undefined {
  const version = parameters.get('version');
  if (type === 'application/openmetrics-text') {
    return version === undefined || version === '1.0.0' || version === '0.0.1' ? 'openmetrics' : undefined;
  }
  return type === 'text/plain' && (version === undefined || version === '0.0.4') ? 'text' : undefined;
}

function readRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const [name = '', value = ''] = parameter.split('=', 2);
    parameters.set(name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1'));
  }
  const q = Number(parameters.get('q') ?? '1');
  return { type: type.toLowerCase(), parameters, q: q >= 0 && q <= 1 ? q : 0 };
}

/** How the content type of a push names its syntax; `undefined` when it names none we read. */
export function pushSyntax(contentType: string | undefined): 'text' | 'openmetrics' | undefined {
  if (contentType === undefined || contentType.trim() === '') return 'text';
  const { type, parameters } = readRange(contentType);
  if (type === 'application/openmetrics-text') {
    return ['1.0.0', '0.0.1', undefined].includes(parameters.get('version')) ? 'openmetrics' : undefined;
  }
  if (type === 'text/plain') return ['0.0.4', undefined].includes(parameters.get('version')) ? 'text' : undefined;
  // What curl sends with --data-binary and no -H; the Pushgateway takes it as text as well.
  return type === 'application/x-www-form-urlencoded' ? 'text' : undefined;
}

/** The version of Prometheus remote write a content type names; `undefined` when it names none we read. */
export function remoteWriteVersion(contentType: string | undefined): '1.0' | '2.0' | undefined {
  const { type, parameters } = readRange(contentType ?? '');
  if (type !== 'application/x-protobuf') return undefined;
  const message = parameters.get('proto') ?? 'prometheus.WriteRequest';
  if (message === 'prometheus.WriteRequest') return '1.0';
  return message === 'io.prometheus.write.v2.Request' ? '2.0' : undefined;
}

/** The encoding of OTLP a content type names; `undefined` when it names none. */
export function otlpEncoding(contentType: string | undefined): 'protobuf' | 'json' | undefined {
  const { type } = readRange(contentType ?? '');
  return type === 'application/x-protobuf' ? 'protobuf' : type === 'application/json' ? 'json' : undefined;
}
