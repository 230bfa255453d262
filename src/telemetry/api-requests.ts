/** Tags of one kind of request, in Auth0's words; what does not apply is absent. */
export interface RequestTags {
  readonly api: 'AUTHENTICATION' | 'MANAGEMENT' | 'METRICS';
  /** Method and route template: `GET /api/v1/{project}/metrics`. */
  readonly operation_name: string;
  readonly operation_result: 'SUCCESS' | 'FAILURE';
  readonly failure_code?: 'RATE_LIMIT' | 'ANOMALY_DETECTION' | 'CLIENT_SERVER_ERROR';
  /** ISO 3166-1 alpha-2. */
  readonly country_code?: string;
  readonly client_id?: string;
  readonly grant_type?: string;
}

export interface TakenRequests {
  readonly tags: RequestTags;
  /** Seconds since the epoch with their counts, in order. */
  readonly seconds: readonly (readonly [second: number, count: number])[];
}

interface OfProject {
  wanted: boolean;
  readonly counters: Map<string, RequestCounter>;
}

/** Kinds of requests kept apart per project; further ones are counted without naming their client and country. */
const mostCounters = 2000;
/** Seconds kept when nobody takes them. */
const mostSeconds = 600;
const idleSeconds = 3600;

/** Counts requests of one kind by the second. Cheap enough for every cached scrape. */
export class RequestCounter {
  readonly tags: RequestTags;
  private readonly key: string;
  private readonly project: OfProject;
  private second = 0;
  private current = 0;
  private done: [number, number][] = [];

  constructor(key: string, tags: RequestTags, project: OfProject) {
    this.key = key;
    this.tags = tags;
    this.project = project;
  }

  /** `now` in milliseconds. */
  count(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.turn(second);
    this.current++;
  }

  /** Counts of seconds before `second`, which are then forgotten. */
  take(second: number): [number, number][] {
    if (this.second < second) this.turn(0);
    const taken = this.done.filter(([at]) => at < second);
    this.done = this.done.filter(([at]) => at >= second);
    return taken.sort(([a], [b]) => a - b);
  }

  isIdle(second: number): boolean {
    return this.done.length === 0 && this.second < second - idleSeconds;
  }

  private turn(second: number): void {
    if (this.current > 0 && this.project.wanted) {
      // A clock that was set back comes to the same second again.
      const same = this.done.find(([at]) => at === this.second);
      if (same !== undefined) same[1] += this.current;
      else this.done.push([this.second, this.current]);
      if (this.done.length > mostSeconds) this.done.shift();
    }
    this.second = second;
    this.current = 0;
    // Whoever keeps a counter that was idle for an hour brings it back.
    if (second !== 0) this.project.counters.set(this.key, this);
  }
}

/** None of the values holds a line break. */
const keyOf = (tags: RequestTags): string =>
  `${tags.operation_name}\n${tags.operation_result}\n${tags.failure_code}\n${tags.grant_type}\n${tags.client_id}\n${tags.country_code}\n${tags.api}`;

/** The requests each project made of the gateway: counted as they are answered, taken by whoever passes them on. */
export class ApiRequests {
  private readonly projects = new Map<string, OfProject>();

  /** Only these projects' requests are kept. */
  watch(projectIds: ReadonlySet<string>): void {
    for (const [id, project] of this.projects) if (!projectIds.has(id)) project.wanted = false;
    for (const id of projectIds) {
      const project = this.ofProject(id);
      // What was asked before somebody wanted to know is nobody's.
      if (!project.wanted) for (const counter of project.counters.values()) counter.take(Number.POSITIVE_INFINITY);
      project.wanted = true;
    }
  }

  counter(projectId: string, tags: RequestTags): RequestCounter {
    const project = this.ofProject(projectId);
    const key = keyOf(tags);
    const known = project.counters.get(key);
    if (known !== undefined) return known;
    const isNamed = tags.client_id !== undefined || tags.country_code !== undefined;
    if (project.counters.size >= mostCounters && isNamed) {
      const { client_id: _, country_code: __, ...anonymous } = tags;
      return this.counter(projectId, anonymous);
    }
    const counter = new RequestCounter(key, tags, project);
    project.counters.set(key, counter);
    return counter;
  }

  /** Kinds of requests the project has made within the last hour or so. */
  kinds(projectId: string): RequestTags[] {
    return [...(this.projects.get(projectId)?.counters.values() ?? [])].map(({ tags }) => tags);
  }

  /** What the project asked before `until` (milliseconds, a whole second); each request is given once. */
  take(projectId: string, until: number): TakenRequests[] {
    const project = this.projects.get(projectId);
    if (project === undefined) return [];
    const second = Math.floor(until / 1000);
    const taken: TakenRequests[] = [];
    for (const [key, counter] of project.counters) {
      const seconds = counter.take(second);
      if (seconds.length > 0) taken.push({ tags: counter.tags, seconds });
      else if (counter.isIdle(second)) project.counters.delete(key);
    }
    return taken;
  }

  private ofProject(id: string): OfProject {
    let project = this.projects.get(id);
    if (project === undefined) {
      project = { wanted: false, counters: new Map() };
      this.projects.set(id, project);
    }
    return project;
  }
}
