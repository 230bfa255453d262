/** Why there is no answer; the message is safe to show, the cause is for the log. */
export type EgressFault =
  | 'request' // the URL or a header is not one we send
  | 'destination' // nowhere we connect to, or nowhere at all: the two look the same
  | 'unreachable' // no connection, no valid certificate, or it broke
  | 'redirect'
  | 'too_large'
  | 'timeout';

/** What the operator can set so that it passes; streams and sources have settings of their own. */
const remedies = {
  'allow-http': 'The operator allows http with',
  'allowed-networks': 'The operator allows other addresses and ports with',
};

export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly fault: EgressFault;
  private readonly remedy: keyof typeof remedies | undefined;

  constructor(fault: EgressFault, message: string, cause?: unknown, remedy?: keyof typeof remedies) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
    this.remedy = remedy;
  }

  /** The message, with the setting that would help. */
  adviceFor(whose: 'sources' | 'streams'): string {
    const { message, remedy } = this;
    return remedy === undefined ? message : `${message} ${remedies[remedy]} --${whose}.${remedy}.`;
  }
}

export const unreachable = (cause: unknown): EgressError =>
  new EgressError('unreachable', 'The host does not answer as it should, or its certificate is not valid.', cause);
