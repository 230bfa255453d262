import { sourceOfGroup } from '../../domain/source.js';
import { countedSeries, type FamilyType } from '../../formats/family.js';
import type { Group, GroupKey, GroupView } from '../store.js';

/** What a group weighs in memory beside its bytes: objects, index, map entries. */
export const groupOverhead = 1024;

/** All groups of one endpoint in memory, with what a write has to know about the others without walking over them. */
export class Shelf {
  readonly projectId: string;
  readonly groups = new Map<string, Group>();
  /** What this weighs, for the budget. */
  bytes = 0;
  /** Of all groups, as they count towards limits. */
  series = 0;
  /** How many groups have a family, with how many series together, and its type, which all of them share. */
  private readonly families = new Map<string, { type: FamilyType; groups: number; series: number }>();
  /** How many groups have which set of label names. */
  private readonly labelNames = new Map<string, number>();

  constructor(projectId: string) {
    this.projectId = projectId;
  }

  /** Puts the group in the place of its predecessor, or takes it away; gives the series gained. */
  replace(key: string, group: Group | undefined): number {
    const before = this.groups.get(key);
    if (before !== undefined && group?.exposition.families === before.exposition.families) {
      this.groups.set(key, group);
      this.bytes += group.exposition.bytes.length - before.exposition.bytes.length;
      return 0;
    }
    if (before !== undefined) {
      this.count(before, -1);
      this.groups.delete(key);
    }
    if (group !== undefined) {
      this.groups.set(key, group);
      this.count(group, 1);
    }
    const gained = seriesOf(group) - seriesOf(before);
    this.series += gained;
    return gained;
  }

  view(key: GroupKey, projectSeries: number): Omit<GroupView, 'refuse' | 'endpointSeries'> {
    const current = this.groups.get(key.text);
    const own = new Set(current?.exposition.families.map(({ header }) => header.name));
    return {
      current,
      projectSeries,
      typeElsewhere: (name) => {
        const family = this.families.get(name);
        return family !== undefined && family.groups > (own.has(name) ? 1 : 0) ? family.type : undefined;
      },
      seriesOf: (name) => this.families.get(name)?.series ?? 0,
      compatible: () => {
        const names = labelNamesOf(key);
        const others = this.groups.size - (current === undefined ? 0 : 1);
        if ((this.labelNames.get(names) ?? 0) - (current === undefined ? 0 : 1) === others) return [];
        const values = new Map(key.labels);
        const found: Group[] = [];
        // Within a commit, and there may be tens of thousands: nothing is made for each.
        for (const group of this.groups.values()) {
          if (group !== current && !contradicts(group.key, values)) found.push(group);
        }
        return found;
      },
    };
  }

  private count(group: Group, by: 1 | -1): void {
    const { exposition, key } = group;
    this.bytes += by * (exposition.bytes.length + exposition.lines.byteLength + groupOverhead);
    bump(this.labelNames, labelNamesOf(key), by);
    for (const { header, first, last } of exposition.families) {
      const family = this.families.get(header.name);
      if (family === undefined) this.families.set(header.name, { type: header.type, groups: by, series: last - first });
      else {
        family.groups += by;
        family.series += by * (last - first);
        if (family.groups === 0) this.families.delete(header.name);
      }
    }
  }
}

const seriesOf = (group: Group | undefined): number => (group === undefined ? 0 : countedSeries(group.exposition));

/** The key of a source's group is not its labels: it may share them with others. */
const labelNamesOf = ({ text, labels }: GroupKey): string =>
  `${sourceOfGroup(text) ?? ''} ${labels.map(([name]) => name).join(',')}`;

function contradicts({ labels }: GroupKey, values: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of labels) if ((values.get(name) ?? value) !== value) return true;
  return false;
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
