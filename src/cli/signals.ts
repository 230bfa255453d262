import { systemClock } from '../domain/clock.js';

/** npm hands a Ctrl-C on to a program that the terminal has told already: within this time that is one, not two. */
const sameSignalMs = 1000;

/** Aborted by the first of the signals; one that comes later ends the process at once. */
export function onInterruption(signals: readonly NodeJS.Signals[]): AbortController {
  const interruption = new AbortController();
  let since: number | undefined;
  const onSignal = (): void => {
    since ??= systemClock.monotonic();
    if (systemClock.monotonic() - since > sameSignalMs) process.exit(1);
    interruption.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return interruption;
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
