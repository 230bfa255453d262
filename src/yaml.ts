import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type Scalar,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { z } from 'zod';

/** `value` is there exactly when there are no problems. A problem reads "file:line: sentence". */
export interface YamlReading<T> {
  readonly value: T | undefined;
  readonly problems: readonly string[];
}

/** A map with these keys and no others. */
export function yamlMap<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: 'This must be a map of "key: value" lines.' });
}

/**
 * Reads settings: YAML text of at most 1 MiB through a zod schema built with `yamlMap`. All problems are found at once,
 * in the order of their lines. An empty text reads as an empty map.
 */
export function readYaml<T>(path: string, text: string, schema: z.ZodType<T>): YamlReading<T> {
  if (Buffer.byteLength(text) > maxBytes) {
    return { value: undefined, problems: [`${path}:1: The file is larger than 1 MiB; settings never are.`] };
  }
  const lines = new LineCounter();
  // Pretty errors would quote the source (see `syntaxSentence`); keys written twice are found below, with the right line.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: false,
  });
  const problems: Problem[] = [];
  const report = (offset: number, sentence: string) => problems.push({ line: lines.linePos(offset).line, sentence });

  // A warning is a tag nobody here knows (`!vault secret`): taken as plain text it would be a wrong value.
  for (const fault of [...document.errors, ...document.warnings]) report(fault.pos[0], syntaxSentence(fault));
  // After broken syntax the rest is guesswork.
  if (problems.length > 0) return { value: undefined, problems: print(path, problems) };

  visit(document, {
    Map(_, map) {
      for (const { value, range } of repeatedKeys(map))
        report(range?.[0] ?? 0, `${value} is written twice in one map.`);
    },
    Alias(_, alias) {
      report(alias.range?.[0] ?? 0, `Aliases such as *${alias.source} are not read here; write the value out.`);
      return visit.REMOVE;
    },
  });
  // The aliases are gone by now; 0 is for the day somebody forgets why, because nested aliases can eat all memory.
  const result = schema.safeParse(document.toJS({ maxAliasCount: 0 }) ?? {});
  for (const { path: keys, sentence } of result.error?.issues.flatMap((issue) => explain(issue, schema)) ?? []) {
    report(offsetOf(keys, document.contents), sentence);
  }
  return { value: problems.length === 0 ? result.data : undefined, problems: print(path, problems) };
}

const maxBytes = 1024 * 1024;

interface Problem {
  readonly line: number;
  readonly sentence: string;
}

function print(path: string, problems: Problem[]): string[] {
  const ordered = problems.sort((a, b) => a.line - b.line).map(({ line, sentence }) => `${path}:${line}: ${sentence}`);
  return [...new Set(ordered)];
}

function syntaxSentence(fault: YAMLError): string {
  if (fault.code === 'MULTIPLE_DOCS') return 'A second document starts here; the file may hold only one.';
  if (fault.code === 'NON_STRING_KEY') return 'A key must be a plain word.';
  if (fault.code === 'RESOURCE_EXHAUSTION') return 'The file is nested too deeply.';
  // These end in the text that was met, and that may be a line of a private key pasted into a web config.
  if (fault.code === 'UNEXPECTED_TOKEN') return `${fault.message.replace(/: .*/s, '')}.`;
  return `${fault.message}.`;
}

/** Every occurrence but the first. */
function repeatedKeys(map: YAMLMap): Scalar[] {
  const seen = new Set<unknown>();
  return map.items
    .map(({ key }) => key)
    .filter(isScalar)
    .filter(({ value }) => {
      const repeated = seen.has(value);
      seen.add(value);
      return repeated;
    });
}

type Issue = z.core.$ZodIssue;

/** zod gathers the unknown keys of a map in one issue; here each gets its own line. Values are never quoted. */
function explain(issue: Issue, schema: z.ZodType): { path: PropertyKey[]; sentence: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { path, sentence: `${nameOf(path)} is not a setting; ${hint(path, keyPaths(schema))}` };
    });
  }
  const name = issue.path.length === 0 ? '' : `${nameOf(issue.path)}: `;
  return [{ path: issue.path, sentence: `${name}${issue.message}` }];
}

/** `issuers[0].claims`; with `index` for each place in a list, as `keyPaths` writes it. */
function nameOf(path: PropertyKey[], index = (place: number) => `[${place}]`): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return name + index(key);
    return name === '' ? String(key) : `${name}.${String(key)}`;
  }, '');
}

const anyIndex = (): string => '[]';

/** Compares whole paths, so that a right key in the wrong place (`listen_address`, `log_level`) is recognised too. */
function hint(path: PropertyKey[], known: string[]): string {
  const unknown = nameOf(path, anyIndex);
  const tolerance = Math.min(2, String(path.at(-1)).length / 3);
  const [nearest] = known
    .map((key) => ({ key, distance: key.endsWith(`.${unknown}`) ? 0 : editDistance(unknown, key) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance);
  const places = path.filter((key) => typeof key === 'number');
  const placed = (key: string): string => {
    let list = 0;
    return key.replaceAll('[]', (any) => (list < places.length ? `[${places[list++]}]` : any));
  };
  if (nearest !== undefined) return `did you mean ${placed(nearest.key)}?`;
  const parent = nameOf(path.slice(0, -1), anyIndex);
  const siblings = known.filter((key) => key.slice(0, Math.max(0, key.lastIndexOf('.'))) === parent);
  return siblings.length === 0 ? 'leave it out.' : `known here: ${siblings.map(placed).join(', ')}.`;
}

/** Every key there may be, below `parent`; `issuers[].claims` for one in a list. */
function keyPaths(schema: z.core.$ZodType, parent = ''): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return keyPaths(schema.unwrap(), parent);
  if (schema instanceof z.ZodPipe) return keyPaths(schema.in, parent);
  if (schema instanceof z.ZodArray) return keyPaths(schema.element, `${parent}[]`);
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries<z.core.$ZodType>(schema.shape).flatMap(([key, inner]) => {
    const path = parent === '' ? key : `${parent}.${key}`;
    return [path, ...keyPaths(inner, path)];
  });
}

/** Levenshtein: how many letters to add, drop or replace. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === to[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length]!;
}

/** Where the key or item at this path stands; for a key that is missing, where the map stands that lacks it. */
function offsetOf(path: PropertyKey[], root: ParsedNode | null): number {
  let offset = root?.range[0] ?? 0;
  let node = root;
  for (const name of path) {
    if (isSeq(node) && typeof name === 'number') {
      node = node.items[name] ?? null;
      offset = node?.range[0] ?? offset;
      continue;
    }
    if (!isMap(node)) break;
    // The last one, because that is the one whose value counts when a key is written twice.
    const pair = node.items.findLast(({ key }) => isScalar(key) && key.value === name);
    if (pair === undefined) break;
    offset = pair.key.range[0];
    node = pair.value;
  }
  return offset;
}
