import { Document, isMap, isScalar } from 'yaml';

export interface Comments {
  /** Above everything, a line each. */
  readonly top?: readonly string[];
  /** Above a key, by its path: `scrape_configs.0.scrape_interval`. */
  readonly above?: Readonly<Record<string, string>>;
}

/**
 * A YAML file that YAML 1.1 and 1.2 read alike. All strings are quoted: what is plain to one of them (`yes`, `1_000`,
 * `12e4`) is a number or a truth to the other.
 */
export function yamlText(value: unknown, { top = [], above = {} }: Comments = {}): string {
  const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false });
  for (const [path, comment] of Object.entries(above)) {
    const keys = path.split('.');
    const map = document.getIn(keys.slice(0, -1), true) ?? document.contents;
    const pair = isMap(map) ? map.items.find(({ key }) => isScalar(key) && key.value === keys.at(-1)) : undefined;
    if (!isScalar(pair?.key)) throw new Error(`there is no ${path} to comment on`);
    pair.key.commentBefore = comment.replaceAll(/^/gm, ' ');
  }
  if (top.length > 0) document.commentBefore = top.map((line) => (line === '' ? '' : ` ${line}`)).join('\n');
  return document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' });
}
