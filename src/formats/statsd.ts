/** StatsD and DogStatsD lines. Neither has escapes, so what separates fields is replaced. */
export type StatsdType = 'c' | 'g' | 'ms' | 'h' | 'd';

export interface StatsdLine {
  readonly name: string;
  readonly type: StatsdType;
  /** 1 when everything is sent. */
  readonly sampleRate: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly containerId?: string | undefined;
}

/** Before and after the values: `name:` and `|c|@0.5|#tag:value`. */
export function dogstatsdParts({
  name,
  type,
  sampleRate,
  tags,
  containerId,
}: StatsdLine): [head: string, tail: string] {
  const list = dogstatsdTags(tags);
  const rate = sampleRate < 1 ? `|@${sampleRate}` : '';
  const container = containerId === undefined ? '' : `|c:${containerId.replace(/[|\n,]/g, '_')}`;
  return [`${statsdName(name)}:`, `|${type}${rate}${list === '' ? '' : `|#${list}`}${container}`];
}

/** Plain StatsD has no tags: of several alike, the instance is part of the name. */
export function statsdParts({ name, type, sampleRate }: StatsdLine): [head: string, tail: string] {
  return [`${statsdName(name)}:`, `|${type}${sampleRate < 1 ? `|@${sampleRate}` : ''}`];
}

export interface StatsdEvent {
  readonly title: string;
  readonly text: string;
  readonly alertType?: string | undefined;
  readonly aggregationKey?: string | undefined;
  readonly sourceTypeName?: string | undefined;
  readonly priority?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** `_e{title bytes,text bytes}:title|text|…`; lines of the text are joined by a written `\n`. */
export function dogstatsdEvent(event: StatsdEvent): string {
  const [title, text] = [oneLine(event.title), oneLine(event.text)];
  const fields = Object.entries({
    k: event.aggregationKey,
    p: event.priority,
    s: event.sourceTypeName,
    t: event.alertType,
  }).flatMap(([letter, value]) => (value === undefined ? [] : [`|${letter}:${field(value)}`]));
  const list = dogstatsdTags(event.tags);
  const sizes = `${Buffer.byteLength(title)},${Buffer.byteLength(text)}`;
  return `_e{${sizes}}:${title}|${text}${fields.join('')}${list === '' ? '' : `|#${list}`}`;
}

const statsdName = (name: string): string => name.replace(/[^A-Za-z0-9_.-]/g, '_');

const dogstatsdTags = (tags: Readonly<Record<string, string>>): string =>
  Object.entries(tags)
    .map(([name, value]) => {
      const cleanName = field(name).replaceAll(':', '_');
      return value === '' ? cleanName : `${cleanName}:${field(value)}`;
    })
    .join(',');

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
const field = (text: string): string => text.replace(/[|,#@\u0000-\u001f\u007f]/g, '_').slice(0, 200);

const oneLine = (text: string): string => text.replace(/\r?\n/g, '\\n');
