import { labelName } from './names.js';
import type { Attribute, Attributes } from './request.js';

/** More than these are compared by a map. */
const mostCompared = 16;

/**
 * Makes labels of the attributes of one request. Points have the same keys again and again, and what is said of them here
 * is done for each of thousands of points: lists are taken as they are wherever that will do.
 */
export class Labels {
  private readonly ours: string;
  /** By key; empty: it becomes none. */
  private readonly names = new Map<string, string>();
  /** Of the attributes that are looked at. */
  private readonly scratch: string[] = [];

  /** `ours` is the label the gateway sets itself. */
  constructor(ours: string) {
    this.ours = ours;
  }

  /** Labels by their names here; where several keys become one name, their values in the order of the keys. */
  of(attributes: Attributes): Attributes {
    const { length } = attributes;
    if (length > mostCompared) return this.joined(attributes);
    const { scratch: names } = this;
    let isAsItIs = true;
    for (let i = 0; i < length; i++) {
      const key = attributes[i]![0];
      const name = this.nameOf(key);
      if (name === '' || name !== key) isAsItIs = false;
      for (let j = 0; j < i; j++) if (names[j] === name) return this.joined(attributes);
      names[i] = name;
    }
    return isAsItIs ? attributes : this.renamed(attributes);
  }

  private renamed(attributes: Attributes): Attributes {
    const labels: Attribute[] = [];
    for (const attribute of attributes) {
      const name = this.nameOf(attribute[0]);
      if (name !== '') labels.push(name === attribute[0] ? attribute : [name, attribute[1]]);
    }
    return labels;
  }

  private joined(attributes: Attributes): Attributes {
    const byName = new Map<string, Attribute[]>();
    for (const attribute of attributes) {
      const name = this.nameOf(attribute[0]);
      if (name === '') continue;
      const same = byName.get(name);
      if (same === undefined) byName.set(name, [attribute]);
      else same.push(attribute);
    }
    return [...byName].map(([name, pairs]): Attribute => {
      if (pairs.length > 1) pairs.sort(([a], [b]) => (a < b ? -1 : 1));
      return [name, pairs.map(([, value]) => value).join(';')];
    });
  }

  private nameOf(key: string): string {
    let name = this.names.get(key);
    if (name === undefined) {
      name = labelName(key);
      if (name === this.ours || name === '__name__') name = '';
      // Keys are the producer's: a request may have one for each point.
      if (this.names.size < mostNames) this.names.set(key, name);
    }
    return name;
  }
}

const mostNames = 1000;

/** Where both have a label, the first is taken. */
export function merged(first: Attributes, second: Attributes): Attributes {
  if (second.length === 0) return first;
  if (first.length === 0) return second;
  if (first.length > mostCompared) {
    const names = new Set(first.map(([name]) => name));
    return [...first, ...second.filter(([name]) => !names.has(name))];
  }
  const all = first.slice();
  for (const label of second) if (!hasName(first, label[0])) all.push(label);
  return all;
}

/** Those whose names the others, a few, do not have. */
export function without(labels: Attributes, others: Attributes): Attributes {
  for (const label of labels) if (hasName(others, label[0])) return labels.filter(([name]) => !hasName(others, name));
  return labels;
}

function hasName(labels: Attributes, name: string): boolean {
  for (const label of labels) if (label[0] === name) return true;
  return false;
}

/** Of their names and values. */
export function lengthOf(labels: Attributes): number {
  let length = 0;
  for (let i = 0; i < labels.length; i++) length += labels[i]![0].length + labels[i]![1].length;
  return length;
}
