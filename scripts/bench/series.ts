/**
 * Made-up series of the size and shape a database exports: five labels, 25 to 50 families, some 175 bytes a line.
 * Families of gauges and counters, and one histogram in ten lines where the bench can have them.
 */
export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly series: readonly Series[];
}

export interface Series {
  /** Of the sample: a family's own, or with a histogram's suffix. */
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
}

const subjects = 'page_cache transaction bolt_connections heap checkpoint store_size query_execution cypher_cache';
const measures = 'active_count usage_ratio hits pages_flushed bytes_read duration_seconds';
const names = subjects
  .split(' ')
  .flatMap((subject) => measures.split(' ').map((m) => `neo4j_database_${subject}_${m}`));

const databases = ['neo4j', 'system', 'customers', 'orders', 'recommendations'];
const zones = ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'];
const modes = ['PRIMARY', 'SECONDARY'];

/** Twenty-five series to a family; `count` in all. */
export function plainFamilies(count: number, perFamily = 25): Family[] {
  const families: Family[] = [];
  for (let first = 0; first < count; first += perFamily) {
    const number = families.length;
    const type = number % 3 === 0 ? 'counter' : 'gauge';
    const name = `${names[number % names.length]}${type === 'counter' ? '_total' : ''}`;
    const series = Array.from({ length: Math.min(perFamily, count - first) }, (_, i) => ({ name, labels: labels(i) }));
    families.push({ name, type, help: `How the ${name.slice(15).replaceAll('_', ' ')} developed.`, series });
  }
  return families;
}

// As Go's client library spells them: OpenMetrics would have "1.0" and "10.0".
const bounds = ['0.005', '0.025', '0.1', '0.25', '1', '2.5', '10', '+Inf'];

/** Nine tenths plain, one tenth histograms of ten lines each. */
export function mixedFamilies(count: number): Family[] {
  const name = 'neo4j_database_query_latency_seconds';
  const series: Series[] = [];
  for (let i = 0; i < count / 100; i++) {
    for (const bound of bounds) series.push({ name: `${name}_bucket`, labels: [...labels(i), ['le', bound]] });
    series.push({ name: `${name}_sum`, labels: labels(i) }, { name: `${name}_count`, labels: labels(i) });
  }
  const help = 'Time from the receipt of a query to the last of its records.';
  return [...plainFamilies(count - series.length), { name, type: 'histogram', help, series }];
}

function labels(i: number): [string, string][] {
  return [
    ['database', databases[i % databases.length]!],
    ['availability_zone', zones[i % zones.length]!],
    ['instance_mode', modes[i % modes.length]!],
    ['pod', `${freshMark}-${String(i).padStart(4, '0')}`],
    ['aggregation', i % 4 === 0 ? 'MAX' : 'SUM'],
  ];
}

/** Stands in a label of every series, where `Body.renew` writes values that were never there before. */
const freshMark = 'p-00000000';

/** A text page of the families whose numbers and new label values are written in place: making it must cost little. */
export class Body {
  readonly bytes: Buffer;
  private readonly values: { at: number; digits: number }[] = [];
  private readonly marks: number[] = [];
  private seed: number;

  constructor(families: readonly Family[], seed: number) {
    this.seed = seed;
    let text = '';
    for (const family of families) {
      text += `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n`;
      for (const [i, { name, labels: pairs }] of family.series.entries()) {
        const line = `${name}{${pairs.map(([label, value]) => `${label}="${value}"`).join(',')}} `;
        this.marks.push(text.length + line.indexOf(freshMark) + 2);
        text += line;
        const digits = 1 + (i % 9);
        this.values.push({ at: text.length, digits });
        text += `${'1'.repeat(digits)}${family.type === 'gauge' ? '.25' : ''}\n`;
      }
    }
    this.bytes = Buffer.from(text, 'latin1');
    this.move();
  }

  get series(): number {
    return this.values.length;
  }

  /** New values, of as many digits as before, in every line. */
  move(): void {
    for (const { at, digits } of this.values) {
      for (let i = 0; i < digits; i++) {
        this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
        // No zero in front.
        this.bytes[at + i] = 49 + ((this.seed >>> 24) % 9);
      }
    }
  }

  /** New values and new series: `number` goes into a label of each, as eight hexadecimal digits. */
  renew(number: number): void {
    this.move();
    const text = number.toString(16).padStart(8, '0');
    for (const at of this.marks) this.bytes.write(text, at, 'latin1');
  }
}
