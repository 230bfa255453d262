import { describe, expect, it } from 'vitest';
import {
  checkName,
  checkSuppliedId,
  newClientId,
  newClientSecret,
  newMetricsId,
  newSecretId,
  printable,
  systemRandom,
} from '../../src/domain/ids.js';

describe('a supplied id', () => {
  it.each(['a', 'A-b_9', '-', '_', '9'.repeat(64)])('%o is taken', (id) => {
    expect(checkSuppliedId('project id', id)).toBe(id);
  });

  it.each(['', 'a'.repeat(65), 'a b', 'a/b', '../a', 'a.b', 'ä', 'a%2f', 'a\n', '\0', 'a?b', 'a#b', "a'--"])(
    '%o is refused',
    (id) => {
      expect(() => checkSuppliedId('project id', id)).toThrow('must be 1 to 64 of A-Z, a-z, 0-9, "_" and "-"');
    },
  );

  it('is quoted in its refusal without what could forge a log line', () => {
    expect(() => checkSuppliedId('project id', 'a\nlevel=error\u2028\u001b[2J')).toThrow('"a?level=error??[2J"');
  });
});

describe('a name', () => {
  it.each([
    ['Acme Inc. ☕', 'Acme Inc. ☕'],
    ['  trimmed ', 'trimmed'],
    ['x'.repeat(200), 'x'.repeat(200)],
  ])('%o is taken', (name, kept) => {
    expect(checkName('project', name)).toBe(kept);
  });

  it.each(['', '   ', 'x'.repeat(201), 'a\nb', 'a\0b', 'a\u007fb'])('%o is refused', (name) => {
    expect(() => checkName('project', name)).toThrow('The project name must be 1 to 200 characters');
  });
});

describe('what is generated', () => {
  it('has a prefix that secret scanners know, and an alphabet no encoding changes', () => {
    expect(newClientId(systemRandom)).toMatch(/^weir_cid_[A-Za-z0-9_-]{22}$/);
    expect(newSecretId(systemRandom)).toMatch(/^weir_sec_[A-Za-z0-9_-]{12}$/);
    expect(newMetricsId(systemRandom)).toMatch(/^[0-9a-f]{8}$/);
    const secret = newClientSecret(systemRandom);
    expect(secret).toMatch(/^weir_cs_[A-Za-z0-9_-]{43}$/);
    expect(encodeURIComponent(secret)).toBe(secret);
  });

  it('is as random as the bytes it is made of: a secret takes 256 bits', () => {
    const asked: number[] = [];
    newClientSecret((size) => {
      asked.push(size);
      return Buffer.alloc(size, 7);
    });
    expect(asked).toEqual([32]);
    const many = new Set(Array.from({ length: 1000 }, () => newClientSecret(systemRandom)));
    expect(many.size).toBe(1000);
  });
});

describe('untrusted text in a sentence', () => {
  it('is cut, and has no control characters', () => {
    expect(printable('a\r\n\t\0b\u0085\u2029c')).toBe('a????b??c');
    expect(printable('x'.repeat(100))).toBe(`${'x'.repeat(80)}…`);
    expect(printable('x'.repeat(80))).toBe('x'.repeat(80));
  });
});
