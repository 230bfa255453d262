import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { OperatorError } from '../domain/errors.js';
import type { RelabelConfig } from '../domain/relabel.js';
import { readRelabelConfigs } from '../formats/relabel/config.js';

const maxBytes = 1024 * 1024;

/** A YAML list of rules, or the part of a scrape job that holds one: `metric_relabel_configs:` and the list. */
export function readRelabelFile(path: string): RelabelConfig[] {
  let value: unknown;
  try {
    const bytes = readFileSync(path);
    if (bytes.length > maxBytes) throw new Error('it is larger than 1 MiB');
    // Rules may be written once and repeated by alias; a bomb of aliases may not.
    value = parse(bytes.toString('utf8'), { maxAliasCount: 100, prettyErrors: false });
  } catch (error) {
    throw new OperatorError(`The relabel file ${path} cannot be read: ${(error as Error).message}.`);
  }
  if (typeof value === 'object' && value !== null && 'metric_relabel_configs' in value) {
    return readRelabelConfigs(value.metric_relabel_configs);
  }
  return readRelabelConfigs(value ?? []);
}
