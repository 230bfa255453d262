import type { SnippetFacts } from './facts.js';

/** What makes a tool scrape: pure text, in which everything is filled in but the secret. */
export interface Snippet {
  /** Its name on the command line and in URLs. */
  readonly tool: string;
  /** For people, in a list. */
  readonly title: string;
  /** What the file is called where the tool looks for it. */
  readonly file: string;
  readonly mediaType: 'application/yaml' | 'application/toml' | 'text/plain';
  /** It reaches https gateways only, whatever else is right. */
  readonly httpsOnly?: true;
  /** Where its secret lies unless somebody says otherwise; a file with the client secret when left out. */
  readonly secretFile?: string;
  /** What the client must have beside `read:metrics`, for people. */
  readonly needs?: string;
  text(facts: SnippetFacts): string;
}
