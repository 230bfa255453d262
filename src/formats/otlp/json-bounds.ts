import { WeirError } from '../../domain/errors.js';
import type { Steps } from '../../domain/turns.js';
import { newSeed } from '../columns.js';

/** Below, even names that are all new take two milliseconds. */
const smallest = 16 * 1024;
/** Between two stops. */
const bytesAStep = 64 * 1024;

/** An attribute is two, in forty bytes or more: batches of 8,192 points have up to 172,000. */
const mostObjects = 250_000;
/** Each is one more member or item, and a short text costs more than its bytes: 8,192 exponential histograms of 60 buckets and 8 attributes have 688,000. */
const mostCommas = 750_000;
/** OTLP has a few dozen names, and a producer writes them in one order. */
const mostShapes = 1000;

/** Nobody outside can know which names share a hash. The factor is odd: none is lost by it. */
const seed = newSeed() | 0;
const factor = newSeed() | 1;

/**
 * Looks through a body of JSON before it becomes objects, which is done in one go. Throws `invalid` for more objects,
 * lists and values than that may make, or more shapes of objects: what V8 keeps of each order of names costs more than the object.
 * What is not JSON is for the parser to say.
 */
export function* jsonWithinBounds(body: Buffer): Steps<void> {
  if (body.length < smallest) return;
  const bounds = new Bounds();
  for (let at = 0; at < body.length; at += bytesAStep) {
    yield;
    bounds.read(body.subarray(at, at + bytesAStep));
  }
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;

class Bounds {
  private objects = 0;
  private commas = 0;
  private inText = false;
  private escaped = false;
  /** Hash of the text that was read last. */
  private text = seed;
  /** Hash of the names so far in the object, and in those around it. */
  private shape = seed;
  private readonly around: number[] = [];
  private readonly shapes = new Set<number>();

  read(bytes: Uint8Array): void {
    let { inText, escaped, text, commas } = this;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (inText) {
        if (byte === quote && !escaped) {
          inText = false;
          continue;
        }
        escaped = byte === backslash && !escaped;
        text = mixed(text, byte);
      } else if (byte === quote) {
        inText = true;
        text = seed;
      } else if (byte === comma) commas++;
      else if (byte === colon) this.name(text);
      else if (byte === 0x7b) this.open();
      else if (byte === 0x7d) this.shape = this.around.pop() ?? seed;
      else if (byte === 0x5b) this.count();
    }
    this.inText = inText;
    this.escaped = escaped;
    this.text = text;
    this.commas = commas;
    if (commas > mostCommas) throw tooMany(`${mostCommas} commas between its values`, 'less at once');
  }

  private open(): void {
    this.count();
    this.around.push(this.shape);
    this.shape = seed;
  }

  private count(): void {
    if (++this.objects > mostObjects) throw tooMany(`${mostObjects} objects and lists`, 'less at once');
  }

  /** Outside of texts, a colon follows a name and nothing else. */
  private name(hash: number): void {
    this.shape = mixed(this.shape, hash);
    this.shapes.add(this.shape);
    if (this.shapes.size > mostShapes) {
      throw tooMany(`${mostShapes} different lists of names in its objects`, 'only names that OTLP knows');
    }
  }
}

function mixed(hash: number, word: number): number {
  const next = Math.imul(hash ^ word, factor);
  return next ^ (next >>> 15);
}

const tooMany = (what: string, instead: string): WeirError =>
  new WeirError('invalid', `The body has more than ${what}. Send protobuf (application/x-protobuf), or ${instead}.`);
