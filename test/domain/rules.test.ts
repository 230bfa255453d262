import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Client, maySee } from '../../src/domain/client.js';
import {
  changedLimits,
  type EndpointLimitName,
  endpointLimitNames,
  limitsAt,
  ownerOf,
} from '../../src/domain/endpoint-limits.js';
import { defaultLimits, type LimitName, limitExceeded, limitNames, parseLimit } from '../../src/domain/limits.js';
import { checkScopes, managementScopes, operatorScopes, projectScopes, scopes } from '../../src/domain/scopes.js';

const ofProject = { operator: false };
const ofOperator = { operator: true };

describe('scopes', () => {
  it('are a set in one order', () => {
    const asked = ['read:audit', 'write:metrics', 'read:metrics', 'write:metrics'];
    expect(checkScopes(asked, ofProject)).toEqual(['read:metrics', 'write:metrics', 'read:audit']);
  });

  it.each([[[]], [['admin']], [['read:metrics', 'READ:metrics']], [['']]])('%j are refused', (wrong) => {
    expect(() => checkScopes(wrong, ofProject)).toThrow('read:metrics');
    expect(() => checkScopes(wrong, ofOperator)).toThrow('read:projects');
  });

  it("Auth0's spellings are taken and ours is kept", () => {
    const theirs = ['read:event_streams', 'update:event_deliveries'];
    expect(checkScopes(theirs, ofProject)).toEqual(['read:metric_streams', 'update:deliveries']);
  });

  it('are divided: an operator reads no metrics, a project opens no limits, sources, keys or bans', () => {
    expect(checkScopes(operatorScopes, ofOperator)).toEqual(operatorScopes);
    expect(operatorScopes).toEqual(['write:metrics', ...managementScopes]);
    expect(checkScopes(projectScopes, ofProject)).toEqual(projectScopes);
    const ofOneOnly = scopes.filter((scope) => !projectScopes.includes(scope));
    expect(ofOneOnly).toEqual([
      'create:projects',
      'update:projects',
      'delete:projects',
      'read:sources',
      'create:sources',
      'update:sources',
      'delete:sources',
      'read:signing_keys',
      'update:signing_keys',
      'read:bans',
      'delete:bans',
    ]);
    for (const scope of ofOneOnly) expect(() => checkScopes([scope], ofProject)).toThrow('cannot have');
    expect(() => checkScopes(['read:metrics'], ofOperator)).toThrow('cannot have');
  });

  it('a client narrowed to endpoints manages nothing', () => {
    const narrowed = { operator: false, narrowed: true };
    expect(checkScopes(['read:metrics'], narrowed)).toEqual(['read:metrics']);
    for (const scope of managementScopes) expect(() => checkScopes([scope], narrowed)).toThrow('cannot have');
  });
});

describe('a client', () => {
  const client = (endpoints: string[] | null) => ({ endpoints }) as unknown as Client;

  it('sees every endpoint, the ones it is narrowed to, or none', () => {
    expect(maySee(client(null), 'db1')).toBe(true);
    expect(maySee(client(['db1']), 'db1')).toBe(true);
    expect(maySee(client(['db1']), 'db2')).toBe(false);
    expect(maySee(client(['db1']), 'db')).toBe(false);
    expect(maySee(client([]), 'db1')).toBe(false);
  });
});

describe('limits', () => {
  it('are the ones the documentation names', () => {
    expect(defaultLimits).toEqual({
      body_compressed_bytes: 8_388_608,
      body_inflated_bytes: 33_554_432,
      labels_per_series: 30,
      name_length_bytes: 1024,
      value_length_bytes: 2048,
      series: 50_000,
      series_per_metric: 0,
      samples_per_second: 0,
      token_requests_per_minute: 0,
      scrapes_per_minute: 0,
      api_requests_per_minute: 600,
      streams: 5,
    });
  });

  it.each([
    ['series=100', ['series', 100]],
    ['samples_per_second=0', ['samples_per_second', 0]],
    ['scrapes_per_minute=60', ['scrapes_per_minute', 60]],
  ])('%s is read', (text, limit) => {
    expect(parseLimit(text, limitNames)).toEqual(limit);
  });

  it.each([
    'series',
    'series=',
    'series=x',
    'series=-1',
    'series=1.5',
    'series=1=2',
    'serie=1',
    '=1',
    '',
    'toString=1',
  ])('%o is refused', (text) => {
    expect(() => parseLimit(text, limitNames)).toThrow(/no limit|needs a whole number/);
  });

  it('of an endpoint are the smaller ones, where each has no count of its own, and never widen those of the project', () => {
    const name = fc.constantFrom(...endpointLimitNames);
    const size = fc.nat({ max: 20 });
    fc.assert(
      fc.property(fc.dictionary(name, size), fc.dictionary(name, size), (ofProject, changes) => {
        const limits = { ...defaultLimits, ...ofProject };
        const own = changedLimits({}, changes);
        const held = limitsAt(limits, own);
        for (const [limit, max] of Object.entries(held) as [LimitName, number][]) {
          if (!['body_compressed_bytes', 'body_inflated_bytes', 'series_per_metric'].includes(limit)) continue;
          const given = [limits[limit], own[limit as EndpointLimitName] ?? 0].filter((each) => each > 0);
          expect(max).toBe(given.length === 0 ? 0 : Math.min(...given));
          if (max !== limits[limit]) expect(ownerOf(held, limit as EndpointLimitName)).toBe('endpoint');
        }
        expect(held.series).toBe(limits.series);
        expect(held.own ?? {}).toEqual(own);
        expect(Object.values(own)).not.toContain(0);
      }),
    );
  });

  it('are refused with their name, their value and what came, in words and as facts', () => {
    for (const name of limitNames) {
      const { message, facts } = limitExceeded(name, 5, 7, { line: 3 });
      expect(message).toMatch(new RegExp(`7 is over the limit ${name} = 5 \\(line 3\\)\\.$`));
      expect(facts).toEqual({ limit: name, max: 5, actual: 7, line: 3 });
    }
  });
});
