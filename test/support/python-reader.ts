import { fileURLToPath } from 'node:url';
import { type Programs, pythonProgram } from './programs.js';
import { comparable, type ExpectedSample } from './pushed-families.js';

const script = fileURLToPath(new URL('../e2e/read_page.py', import.meta.url));

/** What `read_page.py` prints; numbers as Python spells them, because JSON has no NaN. */
interface PythonFamily extends Pick<ExpectedSample, 'name' | 'type' | 'help' | 'unit'> {
  readonly samples: (Pick<ExpectedSample, 'name' | 'labels'> & {
    readonly value: string;
    readonly exemplar: { labels: Record<string, string>; value: string; timestamp?: number } | null;
  })[];
}

/** The samples on a page as prometheus_client's parser of the format reads them, but for the gateway's own series. */
export async function readWithPython(
  programs: Programs,
  format: 'text' | 'openmetrics',
  page: string,
): Promise<ExpectedSample[]> {
  const { status, stdout, stderr } = await programs.run(
    pythonProgram('prometheus_client.openmetrics.parser'),
    [script, format],
    { input: page },
  );
  if (status !== 0) throw new Error(`Python's ${format} parser refused the page: ${stderr}`);
  return (JSON.parse(stdout) as PythonFamily[])
    .filter(({ name }) => !name.startsWith('weir_'))
    .flatMap(({ type, help, unit, samples }) =>
      samples.map(({ name, labels, value, exemplar }) => ({
        name,
        labels: comparable(labels),
        value: numberOf(value),
        type,
        help,
        unit,
        exemplar: exemplar && { ...exemplar, value: numberOf(exemplar.value) },
      })),
    );
}

const numberOf = (text: string): number =>
  text === 'inf' ? Number.POSITIVE_INFINITY : text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text);
