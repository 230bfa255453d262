import { createGunzip } from 'node:zlib';
import type { LimitsAt } from '../domain/endpoint-limits.js';
import { WeirError } from '../domain/errors.js';
import { nextTurn } from '../domain/turns.js';
import type { BodyLoan } from './body-budget.js';
import { BodyRooms } from './body-rooms.js';
import { bodyTooLarge, type Ctx, header, readBody } from './context.js';

const rooms = new BodyRooms();

/** The body of one request, and the memory it holds until it is released. */
export class PushedBody {
  private readonly loan: BodyLoan;
  private lent: Buffer | undefined;

  constructor(loan: BodyLoan) {
    this.loan = loan;
  }

  /**
   * Inflated if it was compressed with gzip. Refused as soon as it is larger than its limit; `unavailable` when there is no room
   * for it.
   */
  async read(c: Ctx, limits: LimitsAt): Promise<Buffer> {
    const encoding = (header(c, 'content-encoding') ?? 'identity').trim().toLowerCase();
    if (encoding === 'identity' || encoding === '') return this.readRoomy(c, limits, 'body_inflated_bytes');
    if (encoding !== 'gzip' && encoding !== 'x-gzip') {
      throw new WeirError('unsupported_media_type', 'The Content-Encoding must be gzip or identity.', {
        field: 'Content-Encoding',
      });
    }
    const body = await this.readCompressed(c, limits);
    const inflated = await inflate(body, limits, this.loan);
    this.forget();
    return inflated;
  }

  /** As it came. */
  readCompressed(c: Ctx, limits: LimitsAt): Promise<Buffer> {
    return this.readRoomy(c, limits, 'body_compressed_bytes');
  }

  /** Holds so many bytes more; throws `unavailable` when there is no room for them. */
  take(bytes: number): void {
    this.loan.take(bytes);
  }

  /** Says that nobody will look at the bytes that came any more: they were inflated. */
  forget(): void {
    if (this.lent === undefined) return;
    this.loan.giveBack(this.lent.length);
    rooms.release(this.lent);
    this.lent = undefined;
  }

  /** Says that it was read, or refused. A second time says nothing new. */
  readonly release = (): void => {
    this.forget();
    this.loan.end();
  };

  private async readRoomy(
    c: Ctx,
    limits: LimitsAt,
    limit: 'body_compressed_bytes' | 'body_inflated_bytes',
  ): Promise<Buffer> {
    const refuse = (actual: number): WeirError => bodyTooLarge(limits, limit, actual);
    this.lent = await readBody(c, limits[limit], refuse, { gather, loan: this.loan });
    // To take the request and to look up its sender was as much work as a slice: what is done with the body comes after others.
    await new Promise<void>(nextTurn);
    return this.lent;
  }
}

const gather = (chunks: Buffer[], length: number): Buffer => rooms.gather(chunks, length);

/** Of deflate: no byte stands for more than 1,032. */
const mostInflation = 1032;

function inflate(body: Buffer, limits: LimitsAt, loan: BodyLoan): Promise<Buffer> {
  const max = limits.body_inflated_bytes > 0 ? limits.body_inflated_bytes : Number.POSITIVE_INFINITY;
  return new Promise((resolve, reject) => {
    // What the body says of itself is taken at once, so that bodies which come together do not grow until none has room.
    let taken = Math.min(declaredLength(body), body.length * mostInflation, max);
    loan.take(taken);
    const gunzip = createGunzip();
    const chunks: Buffer[] = [];
    let length = 0;
    gunzip.on('data', (chunk: Buffer) => {
      length += chunk.length;
      try {
        if (length > max) throw bodyTooLarge(limits, 'body_inflated_bytes', max + 1);
        if (length > taken) {
          loan.take(length - taken);
          taken = length;
        }
        chunks.push(chunk);
      } catch (error) {
        gunzip.destroy();
        reject(error);
      }
    });
    gunzip.on('error', () => reject(new WeirError('invalid', 'The body is not valid gzip.')));
    gunzip.on('end', () => {
      loan.giveBack(taken - length);
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    });
    gunzip.end(body);
  });
}

/** RFC 1952 §2.3.1, ISIZE: of the last member, and whoever made it may lie. */
const declaredLength = (body: Buffer): number => (body.length < 18 ? 0 : body.readUInt32LE(body.length - 4));
