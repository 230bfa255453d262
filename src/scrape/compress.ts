import { constants, createGzip } from 'node:zlib';

/**
 * How much of a page the thread pool compresses at a time: a tenth to a third of a millisecond. Where threads share a core, the event loop gets it
 * back when the pool has nothing to do, which the scheduler of Linux otherwise lets it wait for by the millisecond.
 */
const pieceBytes = 32 * 1024;

/** Larger pages are compressed less thoroughly: in a third of the time, to 16 to 30 % more bytes. */
const largeBytes = 256 * 1024;

/** In gzip, off the event loop. */
export function compress(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const stream = createGzip(bytes.length >= largeBytes ? { level: constants.Z_BEST_SPEED } : {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    stream.on('error', reject);
    let at = 0;
    const goOn = (): void => {
      const piece = bytes.subarray(at, at + pieceBytes);
      at += pieceBytes;
      if (at < bytes.length) stream.write(piece, goOn);
      else stream.end(piece);
    };
    goOn();
  });
}
