export type OutputFormat = 'table' | 'json';

/** A value as a command shows it; keys are the JSON keys, in order. */
export type Row = Readonly<Record<string, unknown>>;

/** One noun: JSON with exactly these keys, or a line per key. */
export function showOne(row: Row, format: OutputFormat): string {
  if (format === 'json') return `${JSON.stringify(row, null, 2)}\n`;
  const width = Math.max(...Object.keys(row).map((key) => key.length));
  return Object.entries(row)
    .map(([key, value]) => `${key.padEnd(width)}  ${cell(value)}\n`)
    .join('');
}

/** Several: a JSON array, or a table; `none` is said where the table would be empty. */
export function showMany(rows: readonly Row[], format: OutputFormat, none: string): string {
  if (format === 'json') return `${JSON.stringify(rows, null, 2)}\n`;
  if (rows.length === 0) return `${none}\n`;
  const columns = Object.keys(rows[0]!);
  const lines = [columns.map((column) => column.toUpperCase()), ...rows.map((row) => columns.map((c) => cell(row[c])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, i) => text.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'object') {
    const parts = Array.isArray(value) ? value : Object.entries(value).map(([key, inner]) => `${key}=${inner}`);
    return parts.length === 0 ? '-' : parts.join(',');
  }
  return String(value);
}

export const isoTime = (ms: number): string => new Date(ms).toISOString();
