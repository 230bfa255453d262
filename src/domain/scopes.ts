import { WeirError } from './errors.js';

/** What opens the metrics routes, for the clients of a project: scrapers and producers. */
export const metricsScopes = ['read:metrics', 'write:metrics'] as const;
export type MetricsScope = (typeof metricsScopes)[number];

/** A noun of the management API. */
interface Noun {
  readonly verbs: readonly ('read' | 'create' | 'update' | 'delete')[];
  /** Which of the verbs a client of a project may be granted; they reach no further than that project. */
  readonly inProject: 'all' | 'none' | readonly string[];
  /** What Auth0 calls it: taken as the same, never given out. */
  readonly alias?: string;
}

const crud = ['read', 'create', 'update', 'delete'] as const;

/**
 * Every scope of the management API is a verb and a noun of this table. Operators may be granted all of them. What a
 * project may use (its limits), what is the gateway's own (signing keys) and what names other people's clients (bans) is
 * theirs alone, as are sources: they reach what the operator's networks hold.
 */
const nouns = {
  projects: { verbs: crud, inProject: ['read'] },
  endpoints: { verbs: crud, inProject: 'all' },
  clients: { verbs: crud, inProject: 'all' },
  metric_streams: { verbs: crud, inProject: 'all', alias: 'event_streams' },
  deliveries: { verbs: ['read', 'update'], inProject: 'all', alias: 'event_deliveries' },
  // Whoever makes one chooses what the gateway asks with its own reach, and which customer's series it takes.
  sources: { verbs: crud, inProject: 'none' },
  audit: { verbs: ['read'], inProject: 'all' },
  usage: { verbs: ['read'], inProject: 'all' },
  access_log: { verbs: ['read'], inProject: 'all' },
  signing_keys: { verbs: ['read', 'update'], inProject: 'none' },
  bans: { verbs: ['read', 'delete'], inProject: 'none' },
} as const satisfies Record<string, Noun>;

type Nouns = typeof nouns;
export type ManagementScope = { [N in keyof Nouns]: `${Nouns[N]['verbs'][number]}:${N}` }[keyof Nouns];
export type Scope = MetricsScope | ManagementScope;

const entries = Object.entries(nouns) as [string, Noun][];

export const managementScopes = entries.flatMap(([noun, { verbs }]) =>
  verbs.map((verb) => `${verb}:${noun}` as ManagementScope),
);
/** All there are, in the order in which they are always written. */
export const scopes: readonly Scope[] = [...metricsScopes, ...managementScopes];

/** What a client of a project may be granted. */
export const projectScopes: readonly Scope[] = [
  ...metricsScopes,
  ...entries.flatMap(([noun, { verbs, inProject }]) =>
    verbs
      .filter((verb) => inProject === 'all' || (inProject !== 'none' && inProject.includes(verb)))
      .map((verb) => `${verb}:${noun}` as ManagementScope),
  ),
];

/** What a client of the operator may be granted: it writes for all customers, and reads the metrics of none. */
export const operatorScopes: readonly Scope[] = ['write:metrics', ...managementScopes];

const aliases = new Map(
  entries.flatMap(([noun, { verbs, alias }]) =>
    alias === undefined ? [] : verbs.map((verb): [string, string] => [`${verb}:${alias}`, `${verb}:${noun}`]),
  ),
);

/** A scope in our spelling; what is none of ours or Auth0's stays as it is. */
export const ourSpelling = (scope: string): string => aliases.get(scope) ?? scope;

/** As a set, in the order of `scopes`. */
export const inOrder = (granted: readonly string[]): Scope[] => {
  const ours = new Set(granted.map(ourSpelling));
  return scopes.filter((scope) => ours.has(scope));
};

export const isManagementScope = (scope: Scope): scope is ManagementScope =>
  (managementScopes as readonly string[]).includes(scope);

/**
 * The scopes to grant to a client of a project, or of the operator's, as a set. Throws `invalid` naming the first that
 * does not fit. A client narrowed to endpoints manages nothing: what it may not see it must not change.
 */
export function checkScopes(
  asked: readonly string[],
  { operator, narrowed = false }: { operator: boolean; narrowed?: boolean },
): Scope[] {
  const allowed: readonly string[] = operator ? operatorScopes : narrowed ? metricsScopes : projectScopes;
  const owner = operator ? 'An operator client' : narrowed ? 'A client narrowed to endpoints' : "A project's client";
  const wrong = asked.find((scope) => !allowed.includes(ourSpelling(scope)));
  if (wrong !== undefined) {
    const known = (scopes as readonly string[]).includes(ourSpelling(wrong));
    const why = known ? `${owner} cannot have the scope "${wrong}"` : `The scope "${wrong}" is unknown`;
    throw new WeirError('invalid', `${why}; there are ${allowed.join(', ')}.`, { field: 'scope' });
  }
  if (asked.length === 0) {
    throw new WeirError('invalid', `A client needs a scope: ${allowed.join(', ')}.`, { field: 'scope' });
  }
  return inOrder(asked);
}

/** Scopes in one text, with blanks or commas between. */
export const splitScopes = (text: string): string[] => text.split(/[ ,]+/).filter(Boolean);
