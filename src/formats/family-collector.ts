import { printable } from '../domain/ids.js';
import type { Exposition, Family, FamilyHeader, FamilyType } from './family.js';

type Fail = (reason: string) => never;

/** A family while its lines come in. */
interface Draft {
  /** As the text format names it. */
  name: string;
  type: FamilyType | undefined;
  help: string | undefined;
  unit: string | undefined;
  exemplars: boolean;
  /** Line ranges, first and last in turn: more than one when the family was left and entered again. */
  readonly ranges: number[];
  /** The family whose lines these may stand among: itself, or the one that a `_created` sample belongs to. */
  readonly block: Draft | undefined;
}

/** What a sample name means: its family, and the label that must hold a number. */
interface Role {
  readonly draft: Draft;
  readonly bound: 'le' | 'quantile' | undefined;
  readonly needsBound: boolean;
  readonly mayCarryExemplar: boolean;
  /** Declared or seen under this very name, not as a suffix of another family. */
  readonly exact: boolean;
}

/** However short its name, each is some objects. */
export const mostFamilies = 50_000;

/**
 * Sorts sample lines into families by the rules of the two formats: which names belong to a histogram, what may be
 * declared when, what OpenMetrics wants in one block.
 */
export class FamilyCollector {
  private readonly openMetrics: boolean;
  private readonly fail: Fail;
  /** By the name in `# TYPE`. */
  private readonly drafts = new Map<string, Draft>();
  private readonly roles = new Map<string, Role>();
  private readonly order: Draft[] = [];
  private starts = new Uint32Array(1024);
  private count = 0;
  private role: Role | undefined;
  private openBlock: Draft | undefined;
  private readonly closedBlocks = new Set<Draft>();
  private readonly names = new Set<string>();
  /** A declaration came since the last line: the next line must be looked up by its name. */
  private fresh = true;

  constructor(openMetrics: boolean, fail: Fail) {
    this.openMetrics = openMetrics;
    this.fail = fail;
  }

  get boundLabel(): 'le' | 'quantile' | undefined {
    return this.role?.bound;
  }

  get needsBound(): boolean {
    return this.role?.needsBound ?? false;
  }

  get mayCarryExemplar(): boolean {
    return this.role?.mayCarryExemplar ?? false;
  }

  noteExemplar(): void {
    this.role!.draft.exemplars = true;
  }

  /** The line that begins at `start`; `isSame` when the line before it has the same metric name. */
  addLine(start: number, name: string, isSame: boolean): void {
    if (this.fresh || !isSame) {
      this.role = this.roles.get(name) ?? this.undeclared(name);
      this.fresh = false;
      this.enterBlock(this.role.draft);
    }
    this.append(start, this.role!.draft);
  }

  declareType(name: string, type: FamilyType): void {
    const draft = this.declaredDraft(name);
    if (draft.type !== undefined) this.fail(`a second "# TYPE" line for "${name}"`);
    if (draft.ranges.length > 0) this.fail(`"# TYPE ${name}" must stand before the samples of its family`);
    draft.type = type;
    if (this.openMetrics) draft.name = textName(name, type);
    const bound = boundOf(type);
    for (const { suffix, exemplar } of samplesOf(type, this.openMetrics)) {
      const needsBound = suffix === '_bucket';
      const role = { draft, bound, needsBound, mayCarryExemplar: exemplar ?? false, exact: suffix === '' };
      const held = this.roles.get(name + suffix);
      if (suffix === '' || !held?.exact) this.roles.set(name + suffix, role);
    }
    if (this.openMetrics && hasCreated(type)) {
      const created = this.newDraft(`${name}_created`, draft);
      created.type = 'gauge';
      this.roles.set(created.name, {
        draft: created,
        bound: undefined,
        needsBound: false,
        mayCarryExemplar: false,
        exact: false,
      });
    }
  }

  declareHelp(name: string, help: string): void {
    const draft = this.declaredDraft(name);
    if (draft.help !== undefined) this.fail(`a second "# HELP" line for "${name}"`);
    draft.help = help;
  }

  declareUnit(name: string, unit: string): void {
    const draft = this.declaredDraft(name);
    if (draft.unit !== undefined) this.fail(`a second "# UNIT" line for "${name}"`);
    if (unit !== '' && !name.endsWith(`_${unit}`))
      this.fail(`the name "${name}" must end with its unit "_${printable(unit)}"`);
    draft.unit = unit;
  }

  /** The exposition over `bytes`, with the lines of each family side by side. */
  finish(bytes: Buffer): Exposition {
    const starts = this.starts;
    const count = this.count;
    const drafts = this.order;
    const scattered = drafts.some((draft) => draft.ranges.length > 2);
    const families: Family[] = [];
    if (!scattered) {
      for (const draft of drafts) {
        const [first, last] = draft.ranges as [number, number];
        families.push({ header: headerOf(draft), first, last, exemplars: draft.exemplars });
      }
      const lines = starts.slice(0, count + 1);
      lines[count] = bytes.length;
      return { families, bytes, lines };
    }
    const end = (line: number): number => (line + 1 < count ? starts[line + 1]! : bytes.length);
    const gathered = Buffer.allocUnsafeSlow(bytes.length);
    const lines = new Uint32Array(count + 1);
    let at = 0;
    let line = 0;
    for (const draft of drafts) {
      const first = line;
      for (let range = 0; range < draft.ranges.length; range += 2) {
        for (let source = draft.ranges[range]!; source < draft.ranges[range + 1]!; source++) {
          lines[line++] = at;
          at += bytes.copy(gathered, at, starts[source]!, end(source));
        }
      }
      families.push({ header: headerOf(draft), first, last: line, exemplars: draft.exemplars });
    }
    lines[count] = at;
    return { families, bytes: gathered, lines };
  }

  private append(start: number, draft: Draft): void {
    if (this.count === this.starts.length - 1) {
      const larger = new Uint32Array(this.starts.length * 2);
      larger.set(this.starts);
      this.starts = larger;
    }
    const line = this.count++;
    this.starts[line] = start;
    const { ranges } = draft;
    if (ranges.length > 0 && ranges[ranges.length - 1] === line) ranges[ranges.length - 1] = line + 1;
    else {
      if (ranges.length === 0) this.begin(draft);
      ranges.push(line, line + 1);
    }
  }

  /** In OpenMetrics `# TYPE a counter` and `# TYPE a_total gauge` would both be `a_total`. */
  private begin(draft: Draft): void {
    if (this.names.has(draft.name)) this.fail(`the sample name "${draft.name}" belongs to two families`);
    this.names.add(draft.name);
    this.order.push(draft);
  }

  private undeclared(name: string): Role {
    if (this.openMetrics && this.drafts.has(name) && this.drafts.get(name)!.type !== undefined) {
      const { type } = this.drafts.get(name)!;
      const names = samplesOf(type!, true).map(({ suffix }) => name + suffix);
      this.fail(`"${name}" is declared as ${type}: its samples must be named ${names.join(', ')}`);
    }
    const role: Role = {
      draft: this.declaredDraft(name),
      bound: undefined,
      needsBound: false,
      mayCarryExemplar: false,
      exact: true,
    };
    this.roles.set(name, role);
    return role;
  }

  private declaredDraft(name: string): Draft {
    this.fresh = true;
    let draft = this.drafts.get(name);
    if (draft === undefined) {
      if (this.drafts.size === mostFamilies) this.fail(`more than ${mostFamilies} metric families in one body`);
      draft = this.newDraft(name, undefined);
      this.drafts.set(name, draft);
    } else if (this.openMetrics && draft.ranges.length > 0) {
      this.fail(`what is said of "${name}" must stand before its samples`);
    }
    return draft;
  }

  private newDraft(name: string, block: Draft | undefined): Draft {
    return { name, type: undefined, help: undefined, unit: undefined, exemplars: false, ranges: [], block };
  }

  /** OpenMetrics wants each family in one piece; in the text format stragglers are gathered. */
  private enterBlock(draft: Draft): void {
    const block = draft.block ?? draft;
    if (!this.openMetrics || block === this.openBlock) return;
    if (this.closedBlocks.has(block)) this.fail(`the samples of "${block.name}" must stand in one block`);
    if (this.openBlock !== undefined) this.closedBlocks.add(this.openBlock);
    this.openBlock = block;
  }
}

interface SampleNames {
  readonly suffix: string;
  readonly exemplar?: boolean;
}

/** The label that must hold a number wherever it stands in a family of the type: readers of the formats insist. */
const boundOf = (type: FamilyType): 'le' | 'quantile' | undefined =>
  type === 'histogram' || type === 'gaugehistogram' ? 'le' : type === 'summary' ? 'quantile' : undefined;

const plain: SampleNames = { suffix: '' };

/** The sample names of a type, by suffix. In the text format a family may also have samples under its plain name. */
function samplesOf(type: FamilyType, openMetrics: boolean): readonly SampleNames[] {
  switch (type) {
    case 'counter':
      return openMetrics ? [{ suffix: '_total', exemplar: true }] : [plain];
    case 'histogram': {
      const parts: SampleNames[] = [{ suffix: '_bucket', exemplar: true }, { suffix: '_sum' }, { suffix: '_count' }];
      return openMetrics ? parts : [plain, ...parts];
    }
    case 'summary':
      return [{ suffix: '' }, { suffix: '_sum' }, { suffix: '_count' }];
    case 'gaugehistogram':
      return [{ suffix: '_bucket', exemplar: true }, { suffix: '_gsum' }, { suffix: '_gcount' }];
    case 'info':
      return [{ suffix: '_info' }];
    default:
      return [plain];
  }
}

export const hasCreated = (type: FamilyType): boolean =>
  type === 'counter' || type === 'histogram' || type === 'summary';

/** OpenMetrics names a counter `foo`, the text format `foo_total`; likewise info. */
const textName = (name: string, type: FamilyType): string =>
  type === 'counter' ? `${name}_total` : type === 'info' ? `${name}_info` : name;

function headerOf(draft: Draft): FamilyHeader {
  return {
    name: draft.name,
    type: draft.type ?? 'untyped',
    ...(draft.help === undefined ? {} : { help: draft.help }),
    ...(draft.unit === undefined || draft.unit === '' ? {} : { unit: draft.unit }),
  };
}
