import { and, desc, eq, inArray, lt, lte } from 'drizzle-orm';
import { accessRing } from '../../../db/schema.js';
import {
  type AccessEntry,
  type AccessRing,
  accessEntriesKept,
  accessRingsInAll,
  accessRingsPerProject,
} from '../../domain/access.js';
import type { AccessFilter, AccessLogStore, AccessRecord } from '../store.js';
import { commitUnsynced, type Db } from './database.js';

export function sqliteAccessLog(db: Db): AccessLogStore {
  const rings = (filter: AccessFilter, newest: number | undefined, offset: number): Row[] =>
    db
      .select()
      .from(accessRing)
      .where(
        and(
          filter.projectId === undefined ? undefined : eq(accessRing.projectId, filter.projectId),
          filter.clientId === undefined ? undefined : eq(accessRing.clientId, filter.clientId),
          filter.endpointId === undefined ? undefined : inArray(accessRing.ring, ringsOf(filter.endpointId)),
          newest === undefined ? undefined : lte(accessRing.firstAt, newest),
        ),
      )
      .orderBy(desc(accessRing.lastAt), desc(accessRing.id))
      .limit(ringsAtOnce)
      .offset(offset)
      .all();

  return {
    append: async (batches) => {
      const [find, update, insert, trim] = [findSql, updateSql, insertSql, trimSql].map((text) =>
        db.$client.prepare(text),
      );
      commitUnsynced(db, () => {
        for (const { projectId, clientId, ring, entries } of batches) {
          const place = { projectId, clientId, ring };
          const before = find!.get(place) as { entries: string } | undefined;
          const all = [...(before === undefined ? [] : unpack(before.entries)), ...entries];
          const kept = all.sort((a, b) => a.at - b.at).slice(-accessEntriesKept);
          const row = {
            ...place,
            added: entries.length,
            firstAt: kept[0]!.at,
            lastAt: kept.at(-1)!.at,
            entries: pack(kept),
          };
          if (before !== undefined) update!.run(row);
          else if (insert!.run(row).changes === 1) trim!.run({ projectId, most: accessRingsPerProject });
        }
      });
    },
    list: async ({ after, limit, ...filter }) => {
      let found: AccessRecord[] = [];
      // Rings come with the newest first: once there are enough newer entries than any of the next, it is done.
      for (let offset = 0; ; offset += ringsAtOnce) {
        const rows = rings(filter, after?.[0], offset);
        for (const row of rows) {
          if (found.length === limit && row.lastAt < found.at(-1)!.at) return found;
          const more = recordsOf(row).filter((record) => isWanted(record, filter.endpointId, after));
          if (more.length === 0) continue;
          found = [...found, ...more].sort(newestFirst).slice(0, limit);
        }
        if (rows.length < ringsAtOnce) return found;
      }
    },
    prune: async (time) => {
      db.delete(accessRing).where(lt(accessRing.lastAt, time)).run();
      const over = db
        .select({ id: accessRing.id })
        .from(accessRing)
        .orderBy(desc(accessRing.lastAt))
        .limit(Number.MAX_SAFE_INTEGER)
        .offset(accessRingsInAll);
      db.delete(accessRing).where(inArray(accessRing.id, over)).run();
    },
  };
}

type Row = typeof accessRing.$inferSelect;

const ringsAtOnce = 100;

/** Where entries of an endpoint may stand, whether it is there or not. */
const ringsOf = (endpointId: string): AccessRing[] => [`endpoint:${endpointId}`, 'elsewhere', 'unproved'];

function recordsOf({ id, projectId, clientId, ring, added, entries }: Row): AccessRecord[] {
  const kept = unpack(entries);
  return kept.map((entry, index) => ({
    ...entry,
    projectId,
    clientId,
    proved: ring !== 'unproved',
    intervalMs: index === 0 ? null : entry.at - kept[index - 1]!.at,
    place: [entry.at, id, added - kept.length + index],
  }));
}

const newestFirst = (a: AccessRecord, b: AccessRecord): number =>
  b.place[0] - a.place[0] || b.place[1] - a.place[1] || b.place[2] - a.place[2];

function isWanted(record: AccessRecord, endpointId: string | undefined, after: AccessRecord['place'] | undefined) {
  if (endpointId !== undefined && record.endpointId !== endpointId) return false;
  if (after === undefined) return true;
  const [a, b] = [record.place, after];
  return a[0] < b[0] || (a[0] === b[0] && (a[1] < b[1] || (a[1] === b[1] && a[2] < b[2])));
}

/** Without the names: they are most of the text. */
const pack = (entries: readonly AccessEntry[]): string =>
  JSON.stringify(
    entries.map((entry) => [
      entry.at,
      entry.operation,
      entry.endpointId,
      entry.status,
      entry.reason,
      entry.format,
      entry.bytes,
      entry.durationMs,
      entry.agent,
      entry.address,
    ]),
  );

function unpack(text: string): AccessEntry[] {
  type Packed = [
    AccessEntry['at'],
    AccessEntry['operation'],
    AccessEntry['endpointId'],
    AccessEntry['status'],
    AccessEntry['reason'],
    AccessEntry['format'],
    AccessEntry['bytes'],
    AccessEntry['durationMs'],
    AccessEntry['agent'],
    AccessEntry['address'],
  ];
  return (JSON.parse(text) as Packed[]).map(
    ([at, operation, endpointId, status, reason, format, bytes, durationMs, agent, address]) => ({
      at,
      operation,
      endpointId,
      status,
      reason,
      format,
      bytes,
      durationMs,
      agent,
      address,
    }),
  );
}

const place = 'project_id = @projectId AND client_id = @clientId AND ring = @ring';
const findSql = `SELECT entries FROM access_ring WHERE ${place}`;
const updateSql = `
  UPDATE access_ring SET entries = @entries, first_at = @firstAt, last_at = @lastAt, added = added + @added WHERE ${place}`;
/** A project or client that is gone has no log; of one that another issuer knows, only the project is known here. */
const insertSql = `
  INSERT INTO access_ring (project_id, client_id, ring, first_at, last_at, added, entries)
  SELECT @projectId, @clientId, @ring, @firstAt, @lastAt, @added, @entries
  WHERE EXISTS (SELECT 1 FROM project WHERE id = @projectId)
    AND (instr(@clientId, '#') > 0 OR EXISTS (SELECT 1 FROM client WHERE id = @clientId AND project_id = @projectId))`;
const trimSql = `
  DELETE FROM access_ring WHERE id IN (
    SELECT id FROM access_ring WHERE project_id = @projectId ORDER BY last_at DESC LIMIT -1 OFFSET @most)`;
