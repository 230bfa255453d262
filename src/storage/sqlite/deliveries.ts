import { and, asc, desc, eq, gte, inArray, isNotNull, lt, lte, ne, notInArray, type SQL, sql } from 'drizzle-orm';
import { delivery, deliveryAttempt, metricStream, streamState } from '../../../db/schema.js';
import { type Attempt, attemptsKept, type Delivery } from '../../domain/stream.js';
import type { DeliveryResult, DeliveryStore, NewWindow } from '../store.js';
import type { Commits } from './commits.js';
import type { Db } from './database.js';
import type { Journal } from './journal.js';

type Writer = Pick<Db, 'select' | 'insert' | 'update' | 'delete'>;

/** What a running stream writes goes through the queue of all writes, and shares its commits with pushes. */
export function sqliteDeliveries(db: Db, journal: Journal, commits: Commits): DeliveryStore {
  const transaction = <T>(work: (tx: Writer) => T): T => db.transaction(work, { behavior: 'immediate' });
  const pendingOf = (streamId: string): SQL | undefined =>
    and(eq(delivery.streamId, streamId), eq(delivery.status, 'pending'));
  const bytes = sql<number>`coalesce(sum(length(${delivery.window})), 0)`;

  return {
    add: (windows) =>
      commits.write(() => {
        for (const window of windows) if (isEnabled(db, window.streamId)) addWindow(db, window);
      }),
    state: async (streamId, kind) =>
      db
        .select({ state: streamState.state, at: streamState.at })
        .from(streamState)
        .where(and(eq(streamState.streamId, streamId), eq(streamState.kind, kind)))
        .get(),
    window: async (streamId, kind, to) => {
      const chosen = and(eq(delivery.streamId, streamId), eq(delivery.kind, kind), eq(delivery.to, to));
      const row = db.select({ window: delivery.window }).from(delivery).where(chosen).orderBy(desc(delivery.seq)).get();
      return row?.window ?? undefined;
    },
    next: async (streamId) => {
      const row = db.select().from(delivery).where(pendingOf(streamId)).orderBy(asc(delivery.seq)).limit(1).get();
      if (row === undefined || row.window === null) return undefined;
      return { seq: row.seq, id: row.id, to: row.to, partsDone: row.partsDone, window: row.window };
    },
    backlog: async (streamId) =>
      db
        .select({
          windows: sql<number>`count(*)`,
          bytes,
          oldest: sql<number | null>`min(${delivery.to})`,
        })
        .from(delivery)
        .where(pendingOf(streamId))
        .get()!,
    record: (results) =>
      commits.write(() => {
        for (const result of results) recordResult(db, result);
      }),
    drop: async (streamId, time, maxBytes, now) =>
      transaction((tx) => {
        const waiting = tx
          .select({
            seq: delivery.seq,
            to: delivery.to,
            points: delivery.points,
            bytes: sql<number>`length(${delivery.window})`,
          })
          .from(delivery)
          .where(pendingOf(streamId))
          .orderBy(desc(delivery.seq))
          .all();
        let kept = 0;
        const dropped = waiting.filter((each) => {
          kept += each.bytes;
          return each.to < time || kept > maxBytes;
        });
        for (const { seq } of dropped) {
          tx.update(delivery)
            .set({ status: 'dropped', finishedAt: now, window: null })
            .where(eq(delivery.seq, seq))
            .run();
        }
        return { windows: dropped.length, points: dropped.reduce((sum, { points }) => sum + points, 0) };
      }),
    list: async (streamId, { limit, before, status }) => {
      const rows = db
        .select()
        .from(delivery)
        .where(
          and(
            eq(delivery.streamId, streamId),
            before === undefined ? undefined : lt(delivery.seq, before),
            status === undefined ? undefined : eq(delivery.status, status),
          ),
        )
        .orderBy(desc(delivery.seq))
        .limit(limit)
        .all();
      const attempts = attemptsOf(
        db,
        rows.map(({ seq }) => seq),
      );
      return rows.map(
        ({ window: _, partsDone: __, ...row }): Delivery => ({ ...row, attempts: attempts.get(row.seq) ?? [] }),
      );
    },
    redeliver: async (streamId, { id, from, to, since }) =>
      transaction((tx) => {
        const stream = tx.select().from(metricStream).where(eq(metricStream.id, streamId)).get();
        if (stream === undefined) return 0;
        const chosen = and(
          eq(delivery.streamId, streamId),
          ne(delivery.status, 'pending'),
          isNotNull(delivery.window),
          gte(delivery.to, since),
          id === undefined ? undefined : eq(delivery.id, id),
          from === undefined ? undefined : gte(delivery.to, from),
          to === undefined ? undefined : lte(delivery.to, to),
        );
        const again = { status: 'pending', partsDone: 0, finishedAt: null } as const;
        const { changes } = tx.update(delivery).set(again).where(chosen).run();
        if (changes > 0) {
          const { projectId } = stream;
          journal.record(tx, { changed: ['stream', streamId], action: 'stream.redeliver', projectId });
        }
        return changes;
      }),
    prune: async (deliveredBefore, othersBefore) => {
      transaction((tx) => {
        tx.delete(delivery)
          .where(and(eq(delivery.status, 'delivered'), lt(delivery.finishedAt, deliveredBefore)))
          .run();
        const over = inArray(delivery.status, ['failed', 'dropped']);
        tx.delete(delivery)
          .where(and(over, lt(delivery.finishedAt, othersBefore)))
          .run();
        tx.update(delivery)
          .set({ window: null })
          .where(and(over, lt(delivery.to, deliveredBefore), isNotNull(delivery.window)))
          .run();
      });
    },
  };
}

function isEnabled(tx: Writer, streamId: string): boolean {
  const row = tx.select({ status: metricStream.status }).from(metricStream).where(eq(metricStream.id, streamId)).get();
  return row?.status === 'enabled';
}

function addWindow(tx: Writer, { state, window, ...row }: NewWindow): void {
  const { streamId, kind, to } = row;
  if (window !== null) {
    tx.insert(delivery)
      .values({ ...row, window, status: 'pending' })
      .run();
  }
  tx.insert(streamState)
    .values({ streamId, kind, state, at: to })
    .onConflictDoUpdate({ target: [streamState.streamId, streamState.kind], set: { state, at: to } })
    .run();
}

function recordResult(tx: Writer, { seq, status, partsDone, attempts, finishedAt }: DeliveryResult): void {
  const found = tx
    .update(delivery)
    .set({ status, partsDone, finishedAt })
    // What was given up meanwhile stays so.
    .where(and(eq(delivery.seq, seq), eq(delivery.status, 'pending')))
    .run().changes;
  if (found === 0 || attempts.length === 0) return;
  for (const attempt of attempts) {
    tx.insert(deliveryAttempt)
      .values({ deliverySeq: seq, ...attempt })
      .run();
  }
  const newest = tx
    .select({ id: deliveryAttempt.id })
    .from(deliveryAttempt)
    .where(eq(deliveryAttempt.deliverySeq, seq))
    .orderBy(desc(deliveryAttempt.id))
    .limit(attemptsKept);
  tx.delete(deliveryAttempt)
    .where(and(eq(deliveryAttempt.deliverySeq, seq), notInArray(deliveryAttempt.id, newest)))
    .run();
}

function attemptsOf(db: Db, seqs: readonly number[]): Map<number, Attempt[]> {
  const found = new Map<number, Attempt[]>();
  if (seqs.length === 0) return found;
  const rows = db
    .select()
    .from(deliveryAttempt)
    .where(inArray(deliveryAttempt.deliverySeq, [...seqs]))
    .orderBy(asc(deliveryAttempt.id))
    .all();
  for (const { id: _, deliverySeq, ...attempt } of rows) {
    found.set(deliverySeq, [...(found.get(deliverySeq) ?? []), attempt]);
  }
  return found;
}
