import { AsyncLocalStorage } from 'node:async_hooks';
import type { Tags } from './backend.js';

/** Tags that would tell people, customers or secrets apart; `*` stands for any beginning. */
export const defaultDenyTags: readonly string[] = [
  '*_id',
  'event',
  'project',
  'group',
  'user',
  'email',
  'ip',
  'address',
  'path',
  'url',
  'query',
  'authorization',
  'password',
  'secret',
  'token',
];

/** Tells which tags may pass. */
export function denyList(patterns: readonly string[]): (tag: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.startsWith('*')));
  const endings = patterns.filter((pattern) => pattern.startsWith('*')).map((pattern) => pattern.slice(1));
  return (tag) => names.has(tag) || endings.some((ending) => tag.endsWith(ending));
}

/**
 * Tags of everything that is measured while a request is handled, also after it waited. They end with the scope they
 * were added in; nobody else sees them.
 */
export class GlobalTags {
  private readonly scopes = new AsyncLocalStorage<Record<string, string | number | boolean>>();

  run<T>(tags: Tags, body: () => T): T {
    return this.scopes.run({ ...this.scopes.getStore(), ...tags }, body);
  }

  /** To the scope that surrounds the call. False when there is none. */
  add(tags: Tags): boolean {
    const scope = this.scopes.getStore();
    if (scope === undefined) return false;
    Object.assign(scope, tags);
    return true;
  }

  current(): Tags | undefined {
    return this.scopes.getStore();
  }
}

/** A new object, as text; the caller's stay as they are. Later ones win. */
export function mergeTags(sources: readonly (Tags | undefined)[], passes: (tag: string) => boolean) {
  const merged: Record<string, string> = {};
  for (const source of sources) {
    for (const [tag, value] of Object.entries(source ?? {})) {
      if (value !== undefined && value !== null && passes(tag)) merged[tag] = String(value);
    }
  }
  return merged;
}
