/** A reader of StatsD and DogStatsD written from their documentation, strict where receivers are. */
export interface ReadMetric {
  readonly name: string;
  readonly values: readonly number[];
  readonly type: string;
  readonly rate: number;
  readonly tags: readonly string[];
  readonly container: string | undefined;
}

export interface ReadEvent {
  readonly title: string;
  readonly text: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

export interface ReadPacket {
  readonly metrics: readonly ReadMetric[];
  readonly events: readonly ReadEvent[];
}

export function readPacket(packet: Buffer): ReadPacket {
  const metrics: ReadMetric[] = [];
  const events: ReadEvent[] = [];
  for (let start = 0; start < packet.length; ) {
    const end = packet.indexOf(10, start) < 0 ? packet.length : packet.indexOf(10, start);
    const line = packet.subarray(start, end);
    if (line.toString('latin1').startsWith('_e{')) events.push(readEvent(line));
    else metrics.push(readMetric(line.toString('utf8')));
    start = end + 1;
  }
  return { metrics, events };
}

function readMetric(line: string): ReadMetric {
  const [head, type, ...fields] = line.split('|');
  const [name, ...values] = head!.split(':');
  if (!/^[A-Za-z0-9_.-]+$/.test(name!)) throw new Error(`no name: ${line}`);
  if (!['c', 'g', 'ms', 'h', 'd', 's'].includes(type ?? '')) throw new Error(`no type: ${line}`);
  if (values.length === 0) throw new Error(`no value: ${line}`);
  const read = { rate: 1, tags: [] as string[], container: undefined as string | undefined };
  const seen = new Set<string>();
  for (const field of fields) {
    const kind = field.startsWith('c:') ? 'c:' : field[0]!;
    if (seen.has(kind)) throw new Error(`a field twice: ${line}`);
    seen.add(kind);
    if (kind === '@') read.rate = number(field.slice(1));
    else if (kind === '#') read.tags = field.slice(1).split(',');
    else if (kind === 'c:') read.container = field.slice(2);
    else throw new Error(`an unknown field: ${line}`);
  }
  if (read.rate <= 0 || read.rate > 1) throw new Error(`no rate: ${line}`);
  return { name: name!, values: values.map(number), type: type!, ...read };
}

/** `_e{<title bytes>,<text bytes>}:<title>|<text>|…`. */
function readEvent(line: Buffer): ReadEvent {
  const [all, titleBytes, textBytes] = /^_e\{(\d+),(\d+)\}:/.exec(line.toString('latin1')) ?? [];
  if (all === undefined) throw new Error(`no event: ${line.toString()}`);
  const titleEnd = all.length + Number(titleBytes);
  const textEnd = titleEnd + 1 + Number(textBytes);
  if (line[titleEnd] !== 0x7c || textEnd > line.length) throw new Error(`wrong lengths: ${line.toString()}`);
  const rest = line.subarray(textEnd).toString('utf8');
  if (rest !== '' && !rest.startsWith('|')) throw new Error(`wrong lengths: ${line.toString()}`);
  const fields: Record<string, string> = {};
  let tags: string[] = [];
  for (const field of rest.split('|').slice(1)) {
    if (field.startsWith('#')) tags = field.slice(1).split(',');
    else fields[field[0]!] = field.slice(2);
  }
  return {
    title: line.subarray(all.length, titleEnd).toString('utf8'),
    text: line
      .subarray(titleEnd + 1, textEnd)
      .toString('utf8')
      .replaceAll('\\n', '\n'),
    fields,
    tags,
  };
}

function number(text: string): number {
  if (!/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) throw new Error(`no number: ${text}`);
  return Number(text);
}
