import { claimedClients, type TokenParameters } from '../auth/token-request.js';
import type { AccessEntry, AccessReason, AccessRing } from '../domain/access.js';
import type { Clock } from '../domain/clock.js';
import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import type { Directory } from '../storage/directory.js';
import { reasonOf } from './access-reasons.js';
import { type About, CallerNotes, type CallerNotesOptions, entryOf, type Whose } from './caller-notes.js';
import { originOf } from './client-address.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';

export interface AccessNotesOptions extends CallerNotesOptions {
  readonly directory: Directory;
  readonly clock: Clock;
}

/** As it was asked for. */
interface ScrapePath {
  readonly projectId: string;
  readonly metricsId: string | undefined;
}

/**
 * What customers are told of the scrapes and token requests of their clients. Always noted for the project of the client,
 * never for the one in the path; what has no client is not noted at all.
 */
export class AccessNotes {
  private readonly options: AccessNotesOptions;

  constructor(options: AccessNotesOptions) {
    this.options = options;
  }

  /** For the pages that are served to one caller. */
  of(whose: Whose): CallerNotes {
    return new CallerNotes(whose, this.options);
  }

  /** A scrape that was not answered with a page. */
  scrapeRefused(c: Ctx, path: ScrapePath, error: unknown): void {
    const { caller, suspect } = c.env;
    const about = { operation: 'scrape', endpointId: asked(path.metricsId) } as const;
    const entry = (reason: AccessReason) => this.entry(c, about, { status: statusOf(error), reason });
    if (caller !== undefined) {
      const isOther = error instanceof WeirError && error.code === 'not_found' && caller.projectId !== path.projectId;
      this.note(caller, this.ringOf(caller, path), entry(isOther ? 'other_project' : reasonOf(error)));
    } else if (suspect?.proved) {
      const noted = entry(suspect.reason);
      this.later(async () => {
        const live = await this.options.directory.client(suspect.clientId);
        if (live === undefined) return;
        const whose = { clientId: suspect.clientId, projectId: live.client.projectId };
        this.note(whose, this.ringOf(whose, path), noted);
      });
    } else if (suspect !== undefined) {
      const noted = entry(suspect.reason ?? reasonOf(error));
      this.later(() => this.noteUnproved(suspect.clientId, noted, { byBasic: suspect.reason === undefined }));
    }
  }

  tokenIssued(c: Ctx): void {
    this.note(c.env.caller!, 'token', this.entry(c, token, { status: 200, reason: null }));
  }

  tokenRefused(c: Ctx, parameters: TokenParameters, error: unknown): void {
    const { caller } = c.env;
    const entry = this.entry(c, token, { status: statusOf(error), reason: reasonOf(error) });
    if (caller !== undefined) {
      this.note(caller, 'token', entry);
      return;
    }
    const { authorization } = c.env.incoming.headers;
    this.later(() => {
      for (const clientId of claimedClients(authorization, parameters)) this.noteUnproved(clientId, entry);
    });
  }

  /** Of a client that is known to memory, where the check of the secret left it: nothing else is looked up. */
  private noteUnproved(clientId: string, entry: AccessEntry, { byBasic = false } = {}): void {
    const client = this.options.directory.peekClient(clientId)?.client;
    if (client === undefined) return;
    const reason = (): AccessReason | null => {
      if (byBasic && entry.reason === 'rate_limited') return 'guessing';
      if (entry.reason !== 'wrong_credentials') return entry.reason;
      if (client.disabledAt !== null) return 'disabled_client';
      return byBasic && !client.allowBasic ? 'basic_not_allowed' : 'wrong_credentials';
    };
    this.note({ clientId, projectId: client.projectId }, 'unproved', { ...entry, reason: reason() });
  }

  /** After the answer, so that its time does not tell whether the client is there. */
  private later(work: () => void | Promise<void>): void {
    // Nothing is lost but a line, while the store cannot be read.
    setImmediate(async () => {
      try {
        await work();
      } catch {}
    });
  }

  private note({ clientId, projectId }: Whose, ring: AccessRing, entry: AccessEntry): void {
    if (projectId !== null) this.options.accessLog.note({ projectId, clientId, ring }, entry);
  }

  /** Only what is there has a place of its own: otherwise there would be as many as a caller cares to invent. */
  private ringOf(whose: Whose, path: ScrapePath): AccessRing {
    if (whose.projectId !== path.projectId) return 'elsewhere';
    if (path.metricsId === undefined) return 'project';
    const isThere = this.options.directory.peekProject(path.projectId)?.endpoints.has(path.metricsId);
    return isThere === true ? `endpoint:${path.metricsId}` : 'elsewhere';
  }

  private entry(c: Ctx, about: About, outcome: Pick<AccessEntry, 'status' | 'reason'>): AccessEntry {
    const { clock, trustedProxies } = this.options;
    return entryOf(c, originOf(c, trustedProxies), about, outcome, clock.now(), clock.monotonic());
  }
}

const token: About = { operation: 'token', endpointId: null };

const asked = (metricsId: string | undefined): string | null =>
  metricsId === undefined ? null : printable(metricsId, 64);
