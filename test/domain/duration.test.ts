import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';

describe('a duration', () => {
  it.each([
    ['0', 0, '0'],
    ['30s', 30_000, '30s'],
    ['5m', 300_000, '5m'],
    ['300s', 300_000, '5m'],
    ['1h30m', 5_400_000, '1h30m'],
    ['90m', 5_400_000, '1h30m'],
    ['1d', 86_400_000, '1d'],
    ['2w', 1_209_600_000, '14d'],
    ['250ms', 250, '250ms'],
    ['1s500ms', 1500, '1s500ms'],
    ['0s', 0, '0'],
  ])('%s is %d ms, and is written %s', (text, ms, written) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(written);
    expect(parseDuration(written)).toBe(ms);
  });

  it.each(['', '5', 'm', '5 m', '-5m', '1.5h', '5M', '5min', 'five', '5m ', '5m,3s', '99999999999999999w'])(
    '%o is none, and the refusal quotes it',
    (text) => {
      expect(() => parseDuration(text)).toThrow(text === '' ? '""' : text);
    },
  );
});
