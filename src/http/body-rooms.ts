const roomBytes = 256 * 1024;
const largestKeptRoom = 1024 * 1024;
const mostFreeRooms = 16;

/**
 * Buffers for bodies that are read in one go and then forgotten, as pushes are. New ones for each would make V8 collect
 * its whole heap every few dozen pushes.
 */
export class BodyRooms {
  private readonly free: Buffer[] = [];
  /** By body that was lent. */
  private readonly rooms = new WeakMap<Buffer, Buffer>();

  /** The chunks in one piece. Its bytes are its own until it is released, for ever if it never is. */
  gather(chunks: readonly Buffer[], length: number): Buffer {
    if (chunks.length === 1) return chunks[0]!;
    const free = length <= largestKeptRoom ? this.free.pop() : undefined;
    const isFit = free !== undefined && free.length >= length;
    const room = isFit ? free : Buffer.allocUnsafeSlow(Math.max(roomBytes, length));
    let at = 0;
    for (const chunk of chunks) {
      room.set(chunk, at);
      at += chunk.length;
    }
    const body = room.subarray(0, length);
    this.rooms.set(body, room);
    return body;
  }

  /** Says that nobody will look at the body any more: its bytes become another's. */
  release(body: Buffer): void {
    const room = this.rooms.get(body);
    if (room === undefined) return;
    this.rooms.delete(body);
    if (room.length <= largestKeptRoom && this.free.length < mostFreeRooms) this.free.push(room);
  }
}
