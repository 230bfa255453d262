/**
 * What is there at once when nothing has to be waited for. For paths that are asked so often that the turns of promises would be a tenth of
 * them; whoever does not care awaits it.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with it, at once or when it is there. */
export const thenSoon = <T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> =>
  value instanceof Promise ? value.then(next) : next(value);
