import type { BlockList } from 'node:net';
import type { Destination, DestinationSecrets } from '../../domain/stream.js';
import type { EgressSeams } from '../../net/egress.js';
import type { EgressProxy } from '../../net/proxy.js';
import type { Window } from '../window.js';

/** What became of one request. */
export interface Outcome {
  /** `retry`: it may go better later; `refused`: it never will; `credentials`: not with these. */
  readonly result: 'delivered' | 'retry' | 'refused' | 'credentials';
  readonly status: number | null;
  /** A sentence for whoever looks at the delivery; null when all went well. */
  readonly error: string | null;
  readonly answer: string;
  /** What the destination asked for. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * Where a stream goes. `parts` are the requests that carry a window, the same ones in the same order each time, made one
 * at a time; `send` sends one of them and never throws; after `close` nothing is called any more.
 */
export interface OpenDestination<Part = unknown> {
  parts(window: Window): AsyncIterable<Part>;
  send(part: Part): Promise<Outcome>;
  close(): Promise<void>;
}

/** What the operator lets streams reach, and the network as an argument. */
export interface Reach {
  readonly allowHttp: boolean;
  readonly allowedNetworks: BlockList;
  /** Whatever speaks http goes through it. */
  readonly proxy: EgressProxy | undefined;
  readonly seams: EgressSeams;
  readonly now: () => number;
  /** Sent as `User-Agent`. */
  readonly agent: string;
}

export interface Target {
  readonly destination: Destination;
  readonly secrets: DestinationSecrets;
}
