import { LRUCache } from 'lru-cache';
import { atMost } from '../../domain/bounded.js';
import type { Family, FamilyHeader } from '../../formats/family.js';

/** Of the texts that families are known by, together. */
const familiesTextCharacters = 16 * 1024 * 1024;

/** Families are the same in every group of a fleet, or at least their headers: one object serves all. */
export class KnownFamilies {
  private readonly headers = new LRUCache<string, FamilyHeader>(atMost(50_000));
  /** By what is written of them. */
  private readonly byText = new LRUCache<string, readonly Family[]>({
    maxSize: familiesTextCharacters,
    sizeCalculation: (_, text) => text.length,
  });

  /** Those that are written there, by `writtenFamilies`. */
  read(text: string): readonly Family[] {
    return this.byText.get(text) ?? this.intern(text, parseFamilies(text));
  }

  /** These families, or those that were written the same before. */
  intern(text: string, families: readonly Family[]): readonly Family[] {
    const known = this.byText.get(text);
    if (known !== undefined) return known;
    const interned = families.map((family) => ({ ...family, header: this.internedHeader(family.header) }));
    this.byText.set(text, interned);
    return interned;
  }

  private internedHeader(header: FamilyHeader): FamilyHeader {
    const key = `${header.name} ${header.type} ${header.unit ?? ''} ${header.help ?? '\n'}`;
    const known = this.headers.get(key);
    if (known !== undefined) return known;
    this.headers.set(key, header);
    return header;
  }
}

type WrittenFamily = [header: FamilyHeader, lines: number, exemplars: 0 | 1];

export const writtenFamilies = (families: readonly Family[]): string =>
  JSON.stringify(
    families.map(({ header, first, last, exemplars }): WrittenFamily => [header, last - first, exemplars ? 1 : 0]),
  );

function parseFamilies(text: string): Family[] {
  let first = 0;
  return (JSON.parse(text) as WrittenFamily[]).map(([header, lines, exemplars]) => {
    const family = { header, first, last: first + lines, exemplars: exemplars === 1 };
    first += lines;
    return family;
  });
}
