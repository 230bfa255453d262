import { type DailyUsage, dayMs, dayOf, type Usage } from '../domain/usage.js';

type Counts = { -readonly [name in keyof Usage]: number };

const none = (): Counts => ({ scrapes: 0, bytesServed: 0, samplesIn: 0, pointsStreamed: 0, tokensIssued: 0 });

/** Counts what one project uses. Cheap enough for every cached scrape: it adds to numbers. `now` in milliseconds. */
export class UsageMeter {
  private readonly projectId: string;
  private day = Number.NaN;
  private counts = none();
  private readonly done = new Map<number, Counts>();
  private readonly used: Set<UsageMeter>;

  /** Is one of `used` while there is something to take. */
  constructor(projectId: string, used: Set<UsageMeter>) {
    this.projectId = projectId;
    this.used = used;
  }

  scrape(bytes: number, now: number): void {
    this.turn(now);
    this.counts.scrapes++;
    this.counts.bytesServed += bytes;
  }

  samples(count: number, now: number): void {
    this.turn(now);
    this.counts.samplesIn += count;
  }

  points(count: number, now: number): void {
    this.turn(now);
    this.counts.pointsStreamed += count;
  }

  token(now: number): void {
    this.turn(now);
    this.counts.tokensIssued++;
  }

  /** What was counted since the last time, by day. */
  take(): DailyUsage[] {
    this.used.delete(this);
    this.day = Number.NaN;
    const taken = [...this.done].map(([day, counts]) => ({ projectId: this.projectId, day, ...counts }));
    this.done.clear();
    return taken;
  }

  /** Takes back what was taken and could not be written. */
  giveBack(usage: DailyUsage): void {
    this.turn(usage.day);
    for (const name of Object.keys(this.counts) as (keyof Usage)[]) this.counts[name] += usage[name];
  }

  private turn(now: number): void {
    if (now >= this.day && now < this.day + dayMs) return;
    this.day = dayOf(now);
    this.used.add(this);
    // A clock that was set back comes to the same day again.
    this.counts = this.done.get(this.day) ?? none();
    this.done.set(this.day, this.counts);
  }
}

/** Rows written in one go, some tenths of a millisecond in all: scrapes wait for no more. */
const mostAtOnce = 64;

/** What every project uses: counted where it happens, written now and then. */
export class UsageMeters {
  private readonly meters = new Map<string, UsageMeter>();
  private readonly used = new Set<UsageMeter>();

  /** Always the same for a project; whoever counts often keeps it. */
  of(projectId: string): UsageMeter {
    let meter = this.meters.get(projectId);
    if (meter === undefined) {
      meter = new UsageMeter(projectId, this.used);
      this.meters.set(projectId, meter);
    }
    return meter;
  }

  /** Hands over what some projects used since the last time; what `save` rejects waits on. Gives whether there is more. */
  async write(save: (usage: readonly DailyUsage[]) => Promise<void>): Promise<boolean> {
    const taken: DailyUsage[] = [];
    for (const meter of this.used) {
      taken.push(...meter.take());
      if (taken.length >= mostAtOnce) break;
    }
    if (taken.length === 0) return false;
    try {
      await save(taken);
    } catch (error) {
      for (const usage of taken) this.of(usage.projectId).giveBack(usage);
      throw error;
    }
    return this.used.size > 0;
  }
}
