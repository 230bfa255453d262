/** What a bench shows. With a target it is a promise; without one it is only for the reader. */
export interface Result {
  readonly name: string;
  /** What was divided by what. */
  readonly what: string;
  /** The median of `runs`. */
  readonly ratio: number;
  readonly target: number | undefined;
  /** Which side of the target is the good one. */
  readonly better: 'lower' | 'higher';
  readonly holds: boolean | undefined;
  readonly unit: string;
  /** One ratio per round. */
  readonly runs: readonly number[];
  /** Absolute figures, which move with the machine: to be read, not to be compared between runs. */
  readonly detail: string;
}

/** How long everything takes. */
export interface Effort {
  readonly rounds: number;
  /** Seconds of load on each side of a round. */
  readonly seconds: number;
  /** Seconds of load on each side before the first round: code gets compiled, caches get filled. */
  readonly warmUpSeconds: number;
  /** Fresh processes, where a process can be luckier than another: the rounds are spread over them. */
  readonly processes: number;
  /** Groups of 1,000 series whose memory is measured. */
  readonly groups: number;
  /** Whether to measure what is only for information as well. */
  readonly extras: boolean;
}

export const thorough: Effort = { rounds: 15, seconds: 1, warmUpSeconds: 3, processes: 3, groups: 500, extras: true };
export const quick: Effort = { rounds: 3, seconds: 1, warmUpSeconds: 1, processes: 1, groups: 200, extras: false };

export type Bench = (effort: Effort) => Promise<Result[]>;

export interface Rounds {
  readonly subject: readonly number[];
  readonly reference: readonly number[];
}

/**
 * A B A B …: what the machine does meanwhile meets both sides of a round alike, so only ratios within a round are
 * compared. What warms them up is thrown away.
 */
export async function alternate(
  { rounds, seconds, warmUpSeconds }: Pick<Effort, 'rounds' | 'seconds' | 'warmUpSeconds'>,
  subject: (seconds: number) => Promise<number>,
  reference: (seconds: number) => Promise<number>,
): Promise<Rounds> {
  const measured = { subject: [] as number[], reference: [] as number[] };
  await subject(warmUpSeconds);
  await reference(warmUpSeconds);
  for (let round = 1; round <= rounds; round++) {
    const a = await subject(seconds);
    const b = await reference(seconds);
    measured.subject.push(a);
    measured.reference.push(b);
    say(`  round ${round} of ${rounds}: ${digits(a)} against ${digits(b)}`);
  }
  return measured;
}

type Description = Pick<Result, 'name' | 'what' | 'better'> & { target?: number; unit?: string; detail?: string };

/** A result from the ratio of each round. */
export function resultOf(description: Description, runs: readonly number[]): Result {
  const { name, what, better, target, unit = 'x', detail = '' } = description;
  const ratio = round(median(runs));
  const holds = target === undefined ? undefined : better === 'lower' ? ratio <= target : ratio >= target;
  return { name, what, ratio, target, better, holds, unit, runs: runs.map(round), detail };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Element by element. */
export const quotients = (above: readonly number[], below: readonly number[]): number[] =>
  above.map((value, i) => value / below[i]!);

/** Progress; results go to standard output. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

export const digits = (value: number): string => String(Number(value.toPrecision(4)));

const round = (value: number): number => Number(value.toPrecision(5));
