/** Why there is no answer; the message is safe to show, the cause is for the log. */
export type EgressFault =
  | 'request' // the URL or a header is not one we send
  | 'destination' // nowhere we connect to, or nowhere at all: the two look the same
  | 'unreachable' // no connection, no valid certificate, or it broke
  | 'redirect'
  | 'too_large'
  | 'timeout';

export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly fault: EgressFault;

  constructor(fault: EgressFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}

export const unreachable = (cause: unknown): EgressError =>
  new EgressError('unreachable', 'The host does not answer as it should, or its certificate is not valid.', cause);
