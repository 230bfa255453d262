import type { Steps } from '../../domain/turns.js';
import { ProtoReader } from '../proto-reader.js';
import { nameLabel, type SeriesBatch } from '../series-batch.js';
import { checkCount, checkLabelsOfSeries, checkSize } from './size.js';
import { familyTypes, fieldsAStep, isText, noteHistogram, type RoutingLabels, readSample, skipField } from './v1.js';

/** Symbols as ranges of the body, and what each of them means as the name of a label. */
interface Symbols {
  readonly starts: number[];
  readonly ends: number[];
  readonly meanings: ('label' | 'name' | 'ours' | 'project' | 'endpoint')[];
}

const nameBytes = Buffer.from(nameLabel);

/**
 * `io.prometheus.write.v2.Request` (Remote-Write 2.0) into columns; otherwise as `writeRequest1Steps`. Metadata stands at
 * each series; of those with one metric name, the first is taken.
 */
export function* writeRequest2Steps(
  body: Buffer,
  batch: SeriesBatch,
  ours: Buffer,
  routing?: RoutingLabels,
): Steps<void> {
  const reader = new ProtoReader(body, 'io.prometheus.write.v2.Request');
  batch.clear(body);
  if (routing !== undefined) batch.beginRoutes();
  const symbols = yield* readSymbols(reader, ours, routing);
  const described = new Set<string>();
  reader.at = 0;
  const end = body.length;
  for (let fields = 1; reader.at < end; fields++) {
    const tag = reader.varint(end);
    if (fields % fieldsAStep === 0) yield;
    if (tag === 0x2a) {
      reader.begin();
      readSeries(reader, reader.block(end), batch, symbols, described);
      checkSize(batch);
    } else skipField(reader, tag, end);
  }
}

/** Nothing says that they stand before the series. */
function* readSymbols(reader: ProtoReader, ours: Buffer, routing: RoutingLabels | undefined): Steps<Symbols> {
  const symbols: Symbols = { starts: [], ends: [], meanings: [] };
  const { bytes } = reader;
  const meaningOf = (at: number, stop: number): Symbols['meanings'][number] => {
    if (isText(bytes, at, stop, nameBytes)) return 'name';
    if (isText(bytes, at, stop, ours)) return 'ours';
    if (routing === undefined) return 'label';
    if (isText(bytes, at, stop, routing.project)) return 'project';
    return isText(bytes, at, stop, routing.endpoint) ? 'endpoint' : 'label';
  };
  const end = bytes.length;
  for (let fields = 1; reader.at < end; fields++) {
    if (fields % fieldsAStep === 0) yield;
    const tag = reader.varint(end);
    if (tag === 0x22) {
      checkCount('symbols', symbols.starts.length + 1);
      const stop = reader.block(end);
      symbols.starts.push(reader.at);
      symbols.ends.push(stop);
      symbols.meanings.push(meaningOf(reader.at, stop));
      reader.at = stop;
    } else skipField(reader, tag, end);
  }
  if (symbols.starts.length > 0 && symbols.starts[0] !== symbols.ends[0])
    reader.fail('a first symbol that is not empty');
  return symbols;
}

function readSeries(
  reader: ProtoReader,
  end: number,
  batch: SeriesBatch,
  symbols: Symbols,
  described: Set<string>,
): void {
  let metadataAt = -1;
  let metadataEnd = 0;
  let pendingName = -1;
  let labels = 0;
  batch.begin();
  const takeRef = (ref: number): void => {
    if (ref >= symbols.starts.length) reader.fail('a reference to a symbol that is not there');
    if (pendingName === -1) {
      checkLabelsOfSeries(++labels);
      pendingName = ref;
      return;
    }
    const meaning = symbols.meanings[pendingName]!;
    const [at, stop] = [symbols.starts[ref]!, symbols.ends[ref]!];
    if (meaning === 'label') batch.label(symbols.starts[pendingName]!, symbols.ends[pendingName]!, at, stop);
    else if (meaning === 'name') batch.name(at, stop);
    else if (meaning !== 'ours') batch.route(meaning, at, stop);
    pendingName = -1;
  };
  while (reader.at < end) {
    reader.count();
    const tag = reader.varint(end);
    if (tag === 0x0a) for (const stop = reader.block(end); reader.at < stop; ) takeRef(reader.varint(stop));
    else if (tag === 0x08) takeRef(reader.varint(end));
    else if (tag === 0x12) readSample(reader, reader.block(end), batch);
    else if (tag === 0x2a) {
      metadataEnd = reader.block(end);
      metadataAt = reader.at;
      reader.at = metadataEnd;
    } else if (tag === 0x1a) noteHistogram(reader, reader.block(end), batch);
    else {
      reader.skip(tag < 8 ? reader.fail('a field without a number') : tag % 8, end);
    }
  }
  if (pendingName !== -1) reader.fail('a label name without a value');
  if (metadataAt !== -1) readMetadata(reader, metadataAt, metadataEnd, batch, symbols, described);
}

/** `h_bucket` is described as a histogram: the family is `h`. */
const parts: Partial<Record<string, RegExp>> = {
  histogram: /_(bucket|sum|count)$/,
  summary: /_(sum|count)$/,
  gaugehistogram: /_(bucket|gsum|gcount)$/,
};

function readMetadata(
  reader: ProtoReader,
  at: number,
  end: number,
  batch: SeriesBatch,
  symbols: Symbols,
  described: Set<string>,
): void {
  const { at: goOn } = reader;
  let type = 0;
  let help = 0;
  let unit = 0;
  for (reader.at = at; reader.at < end; ) {
    reader.count();
    const tag = reader.varint(end);
    if (tag === 0x08) type = reader.varint(end);
    else if (tag === 0x18) help = reader.varint(end);
    else if (tag === 0x20) unit = reader.varint(end);
    else skipField(reader, tag, end);
  }
  reader.at = goOn;
  if (Math.max(help, unit) >= Math.max(1, symbols.starts.length)) {
    reader.fail('a reference to a symbol that is not there');
  }
  const known = familyTypes[type] ?? 'untyped';
  if (known === 'untyped' && help === 0 && unit === 0) return;
  const sampleName = batch.nameOf(batch.series - 1);
  if (described.has(sampleName)) return;
  described.add(sampleName);
  const text = (ref: number): string =>
    ref === 0 ? '' : reader.bytes.toString('utf8', symbols.starts[ref]!, symbols.ends[ref]!);
  const pattern = parts[known];
  const name = pattern === undefined ? sampleName : sampleName.replace(pattern, '');
  checkCount('metric descriptions', batch.metadata.length + 1);
  batch.metadata.push({ name, type: known, help: text(help), unit: text(unit) });
}
