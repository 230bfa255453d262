import { setImmediate } from 'node:timers/promises';
import type { Envelope } from '../auth/envelope.js';
import { newDeliveryId, type RandomBytes } from '../domain/ids.js';
import {
  type DestinationType,
  type MetricKind,
  type MetricStream,
  requestWindowMs,
  type Subscription,
} from '../domain/stream.js';
import { isTouched, readTouched, type Touched } from '../domain/touched.js';
import { selects } from '../formats/selector.js';
import type { NewWindow } from '../storage/store.js';
import type { ApiRequests, TakenRequests } from '../telemetry/api-requests.js';
import { collectProject, type ProjectState, packState, readPage, unpackState } from './collect/project.js';
import { collectRequests, type RequestState } from './collect/requests.js';
import type { Reach } from './destinations/destination.js';
import { openDestination } from './destinations/open.js';
import { offsetOf } from './moments.js';
import { Runner, type RunnerOptions } from './runner.js';
import { openSecrets } from './secrets.js';
import { pack, packWindow, pointCount, unpack, unpackWindow, type Window } from './window.js';

export interface StreamsOptions extends RunnerOptions {
  readonly envelope: Envelope;
  readonly newBytes: RandomBytes;
  readonly reach: Reach;
  readonly requests: ApiRequests;
  /** The page of the whole project as a scrape gets it from now on; `undefined` when the project is gone. */
  readonly page: (projectId: string) => Promise<{ readonly text: Buffer; readonly at: number } | undefined>;
}

/** What an enabled stream remembers from one window to the next. */
interface Live {
  stream: MetricStream;
  readonly runner: Runner;
  projectState: ProjectState;
  requestState: RequestState;
  /** Each project has moments of its own, so that not all are due at once; milliseconds. */
  readonly offsetMs: number;
  /** End of the last window of each kind. */
  readonly lastAt: Map<MetricKind, number>;
}

/** A window that is made but not written yet. */
interface Made {
  readonly live: Live;
  readonly window: Window;
  readonly remember: () => void;
  readonly state: Buffer;
}

/**
 * All streams that are enabled: makes their windows when it is time, and wakes whoever has windows to send. A window and
 * what must be remembered after it are written together, before anything is sent.
 */
export class Streams {
  private readonly options: StreamsOptions;
  private readonly live = new Map<string, Live>();
  /** Requests that were taken but are not written yet, by project. */
  private readonly taken = new Map<string, TakenRequests[]>();
  private takenUntil = 0;
  /** Monotonic time. */
  private restUntil = 0;
  private working: Promise<void> = Promise.resolve();
  private isWorking = false;
  private closed = false;

  constructor(options: StreamsOptions) {
    this.options = options;
  }

  /** Takes up what the store says of these streams, or of all. */
  reload(touched?: Touched): Promise<void> {
    return this.inTurn(async () => {
      const { streams } = this.options;
      const found = await readTouched(touched, {
        list: (projectId) => streams.list(projectId),
        get: async (id) => (await streams.get(id))?.stream,
      });
      const enabled = new Map(found.filter(({ status }) => status === 'enabled').map((stream) => [stream.id, stream]));
      for (const [id, { stream }] of this.live) if (isTouched(touched, stream) && !enabled.has(id)) this.stop(id);
      for (const stream of enabled.values()) await this.take(stream);
      this.options.requests.watch(new Set(this.subscribers('api_request.count').map(({ stream }) => stream.projectId)));
    });
  }

  /** Makes the windows that are due, and sends. To be called several times a second; calls that overlap are left out. */
  async tick(): Promise<void> {
    if (this.isWorking || this.closed) return;
    const { clock, log } = this.options;
    if (clock.monotonic() >= this.restUntil) {
      await this.inTurn(() => this.makeWindows(clock.now())).catch((error) => {
        // A full disk, say: what was counted is kept, differences will cover the gap.
        log.error({ err: error }, 'windows of streams could not be written');
        this.restUntil = clock.monotonic() + restMs;
      });
    }
    for (const { runner } of this.live.values()) runner.wake();
  }

  private async makeWindows(now: number): Promise<void> {
    const boundary = Math.floor(now / requestWindowMs) * requestWindowMs;
    if (boundary > this.takenUntil) await this.write(await this.requestWindows(boundary));
    await this.projectWindows(now);
  }

  /** Writes what was counted until now, and ends what is under way within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    await this.inTurn(async () => {
      const until = (Math.floor(this.options.clock.now() / 1000) + 1) * 1000;
      await this.write(await this.requestWindows(until));
    }).catch((error) => this.options.log.error({ err: error }, 'the last counts of requests were not written'));
    const ends = [...this.live.values()].map(({ runner }) => runner.close());
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.allSettled(ends), grace]);
    clearTimeout(timer);
  }

  /** Per type of destination: how many streams there are, and how long the oldest window has waited, in seconds. */
  lags(): Map<DestinationType, { streams: number; lagSeconds: number }> {
    const now = this.options.clock.now();
    const lags = new Map<DestinationType, { streams: number; lagSeconds: number }>();
    for (const { runner } of this.live.values()) {
      const { streams, lagSeconds } = lags.get(runner.type) ?? { streams: 0, lagSeconds: 0 };
      lags.set(runner.type, { streams: streams + 1, lagSeconds: Math.max(lagSeconds, runner.lag(now) / 1000) });
    }
    return lags;
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    this.isWorking = true;
    const turn = this.working.then(work);
    this.working = turn.catch(() => {});
    const mine = this.working;
    await mine.then(() => {
      if (this.working === mine) this.isWorking = false;
    });
    return turn;
  }

  private subscribers(kind: MetricKind): { live: Live; stream: MetricStream; subscription: Subscription }[] {
    return [...this.live.values()].flatMap((live) => {
      const subscription = live.stream.subscriptions.find((each) => each.kind === kind);
      return subscription === undefined ? [] : [{ live, stream: live.stream, subscription }];
    });
  }

  private async take(stream: MetricStream): Promise<void> {
    const { streams, envelope, reach, log } = this.options;
    const known = this.live.get(stream.id);
    known?.runner.poke();
    if (known !== undefined && known.runner.version === stream.version) return;
    const stored = await streams.get(stream.id);
    if (stored === undefined) return;
    try {
      const secrets = openSecrets(envelope, stream.id, stored.secrets);
      const destination = openDestination({ destination: stream.destination, secrets }, reach);
      const runner = known?.runner ?? new Runner(stream, destination, this.options);
      if (known !== undefined) runner.use(stream, destination);
      this.live.set(stream.id, {
        stream,
        runner,
        offsetMs: offsetOf(stream.projectId),
        ...(await this.remembered(stream.id)),
      });
    } catch (error) {
      log.error({ err: error, stream_id: stream.id }, 'a stream cannot be opened');
    }
  }

  private async remembered(id: string): Promise<Pick<Live, 'projectState' | 'requestState' | 'lastAt'>> {
    const { deliveries } = this.options;
    const project = await deliveries.state(id, 'project.metrics');
    const last = project && (await deliveries.window(id, 'project.metrics', project.at));
    const requests = await deliveries.state(id, 'api_request.count');
    const lastAt = new Map<MetricKind, number>();
    if (project !== undefined) lastAt.set('project.metrics', project.at);
    if (requests !== undefined) lastAt.set('api_request.count', requests.at);
    return {
      projectState:
        project === undefined ? new Map() : await unpackState(project.state, last && (await unpackWindow(last))),
      requestState: requests === undefined ? {} : await unpack<RequestState>(requests.state),
      lastAt,
    };
  }

  private stop(id: string): void {
    const live = this.live.get(id);
    this.live.delete(id);
    live?.runner
      .close()
      .catch((error) => this.options.log.error({ err: error, stream_id: id }, 'a stream did not end well'));
  }

  private async requestWindows(until: number): Promise<Made[]> {
    const { requests } = this.options;
    const subscribers = this.subscribers('api_request.count');
    for (const projectId of new Set(subscribers.map(({ stream }) => stream.projectId))) {
      const all = [...(this.taken.get(projectId) ?? []), ...requests.take(projectId, until)];
      this.taken.set(projectId, all.slice(-mostTaken));
    }
    this.takenUntil = until;
    const made: Made[] = [];
    for (const { live, stream, subscription } of subscribers) {
      const { projectId } = stream;
      const from = live.lastAt.get('api_request.count') ?? until - requestWindowMs;
      const about = { projectId, from, to: until, subscription };
      const { window, state } = collectRequests(this.taken.get(projectId) ?? [], live.requestState, about);
      if (pointCount(window) === 0 && window.gone.length === 0) {
        live.lastAt.set('api_request.count', until);
        continue;
      }
      const remember = (): void => {
        live.requestState = state;
        this.taken.delete(projectId);
      };
      made.push({ live, window, remember, state: await pack(state) });
    }
    return made;
  }

  private async projectWindows(now: number): Promise<void> {
    const due = this.subscribers('project.metrics').filter(({ live, subscription }) => {
      const last = live.lastAt.get('project.metrics');
      const slot = (at: number): number => Math.floor((at - live.offsetMs) / subscription.intervalMs);
      return last === undefined || slot(now) > slot(last) || now < last;
    });
    const byProject = new Map<string, typeof due>();
    for (const each of due) {
      const { projectId } = each.stream;
      const others = byProject.get(projectId);
      if (others === undefined) byProject.set(projectId, [each]);
      else others.push(each);
    }
    let made: Made[] = [];
    for (const [projectId, subscribers] of byProject) {
      const page = await this.options.page(projectId);
      if (page === undefined) continue;
      const families = [...readPage(page.text)];
      for (const { live, subscription } of subscribers) {
        const from = live.lastAt.get('project.metrics') ?? page.at - subscription.intervalMs;
        const passes = subscription.match.length === 0 ? undefined : selects(subscription.match);
        const about = { projectId, from, passes };
        const { window, state } = collectProject({ families, at: page.at }, live.projectState, about);
        const remember = (): void => {
          live.projectState = state;
        };
        made.push({ live, window, remember, state: await packState(state, window.to) });
      }
      // When many are due, as after a start, the first need not wait for the last; and others get their turn.
      if (made.length >= mostAtOnce) {
        await this.write(made);
        made = [];
        await setImmediate();
      }
    }
    await this.write(made);
  }

  private async write(made: readonly Made[]): Promise<void> {
    if (made.length === 0) return;
    const { deliveries, clock, newBytes } = this.options;
    const createdAt = clock.now();
    const windows = await Promise.all(
      made.map(async ({ live, window, state }): Promise<NewWindow> => {
        const { kind, from, to } = window;
        const points = pointCount(window);
        const isEmpty = points === 0 && window.gone.length === 0;
        const packed = isEmpty ? null : await packWindow(window);
        const id = newDeliveryId(newBytes);
        return { id, streamId: live.stream.id, kind, from, to, points, createdAt, window: packed, state };
      }),
    );
    await deliveries.add(windows);
    for (const [index, { live, window, remember }] of made.entries()) {
      remember();
      live.lastAt.set(window.kind, window.to);
      live.runner.offer(windows[index]!.id, window);
    }
  }
}

/** Windows that are written together, more or less. */
const mostAtOnce = 8;
/** How long nothing is written after the store has refused. */
const restMs = 5_000;
/** Kinds of requests kept per project while the store takes no writes. */
const mostTaken = 5000;
