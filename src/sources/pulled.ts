import type { Syntax } from '../formats/parse.js';

/** What a source said: a body in one of the two formats, and why it may not be all there is. */
export interface Pulled {
  readonly body: Buffer;
  readonly syntax: Syntax;
  readonly warnings: readonly string[];
}

/** Why a pull gave nothing. The message is safe to show to operators. */
export class PullError extends Error {
  override readonly name = 'PullError';
  /** `guard`: there were series that the matchers exclude, so that none can be trusted. */
  readonly kind: 'failed' | 'guard';

  constructor(kind: 'failed' | 'guard', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
