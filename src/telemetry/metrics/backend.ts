import type { z } from 'zod';
import type { Clock } from '../../domain/clock.js';
import type { Registry } from './registry.js';

export type Tags = Readonly<Record<string, string | number | boolean>>;

/** What may be said of a measurement beside its value. */
export interface MeasureOptions {
  /** Which one of several alike: tag `instance`, `exported_instance` on the page, a suffix where there are no tags. */
  readonly instance?: string | undefined;
  readonly tags?: Tags | undefined;
  /** Share of the calls that is sent, 0 to 1; receivers scale it up again. Nothing kept in memory is sampled. */
  readonly sampleRate?: number | undefined;
  /** Such as `bytes`; of `incr`, `gauge` and `distribution`. */
  readonly unit?: string | undefined;
  /** Not kept in this process: only for backends that take each measurement (statsd, dogstatsd, logging). */
  readonly skipInternal?: boolean | undefined;
}

export interface EventOptions {
  readonly alertType?: 'info' | 'success' | 'warning' | 'error' | undefined;
  readonly aggregationKey?: string | undefined;
  readonly sourceTypeName?: string | undefined;
  readonly priority?: 'normal' | 'low' | undefined;
  readonly instance?: string | undefined;
  readonly tags?: Tags | undefined;
}

/** What the facade and its backends can record, with their arguments in the same order. */
export interface Recorder<Measure, Event> {
  incr(key: string, amount: number, options: Measure): void;
  gauge(key: string, value: number, options: Measure): void;
  /** In milliseconds. */
  timing(key: string, ms: number, options: Measure): void;
  distribution(key: string, value: number, options: Measure): void;
  event(title: string, message: string, options: Event): void;
}

/** Options as a backend gets them: tags merged and cleared. The same object comes again with a bound series. */
export interface Facts {
  readonly instance: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** The value stands for `1 / sampleRate` of its kind. */
  readonly sampleRate: number;
  readonly unit: string | undefined;
}

export type EventFacts = Omit<EventOptions, 'tags'> & Pick<Facts, 'tags'>;

/**
 * Where measurements go. One that takes each of them has the recorder's methods, of which it may leave out what its
 * receiver does not know; one that reads the registry has none. What a backend throws is logged, never passed on.
 */
export interface MetricsBackend extends Partial<Recorder<Facts, EventFacts>> {
  /** The page, for the one backend that is asked instead of sending. */
  page?(): Promise<MetricsPage>;
  /** Hands over what has gathered, and resolves when it was sent or given up. */
  flush?(): Promise<void>;
  /** Sends what it can before `signal` aborts, then lets go of everything. */
  close?(signal: AbortSignal): Promise<void>;
}

export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

/** The few methods of a logger that are used: pino's and others' argument order. */
export interface MetricsLog {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** What a backend is given to work with. */
export interface BackendContext {
  /** Stands before every key: `weir.`. */
  readonly prefix: string;
  /** Of this backend's configuration: applied after the caller's, so that whoever configures has the last word. */
  readonly tags: Readonly<Record<string, string>>;
  /** Whether the configuration wants the key on this backend. */
  readonly wants: (key: string) => boolean;
  readonly registry: Registry;
  /** Brings gauges up to date that are only measured when somebody reads them. */
  readonly collect: () => Promise<void>;
  /** Counts measurements that could not be kept or sent. */
  readonly dropped: (measurements: number) => void;
  /** Logs a failure, the first of a minute only. */
  readonly complain: (error: unknown, message: string) => void;
  readonly log: MetricsLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly fetch: typeof fetch;
}

/** A backend as the configuration names it. `open` throws `OperatorError` when it cannot work as configured. */
export interface BackendKind<Type extends string = string, Options extends z.ZodType = z.ZodType> {
  readonly type: Type;
  readonly options: Options;
  /** Whether it reads what is kept in memory; what nobody reads is not kept. */
  readonly readsRegistry: boolean;
  /** Whether anything leaves the process, and so may be dropped. */
  readonly sends: boolean;
  readonly open: (options: z.output<Options>, context: BackendContext) => MetricsBackend;
}

export const backendKind = <Type extends string, Options extends z.ZodType>(
  kind: BackendKind<Type, Options>,
): BackendKind<Type, Options> => kind;
