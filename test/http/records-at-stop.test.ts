import Sqlite from 'better-sqlite3';
import { expect, it } from 'vitest';
import { boot, closesAfterEach } from '../streams/front-door.js';

closesAfterEach();

const projects = 40;

it.each([600_000, 5])(
  'all that was used and asked is written when the gateway stops, written every %i ms',
  async (writeRecordsEveryMs) => {
    const gateway = await boot({ seams: { writeRecordsEveryMs } });
    for (let i = 0; i < projects; i++) {
      await gateway.project(`p${i}`, 'db1');
      const bearer = await gateway.bearerOf(await gateway.client(`p${i}`, ['read:metrics']));
      for (let scrape = 0; scrape < 3; scrape++) {
        const page = await gateway.fetch(`/api/v1/p${i}/metrics`, { bearer });
        await page.arrayBuffer();
      }
    }
    // Its file stays readable when the folder is gone.
    const file = new Sqlite(gateway.config.storage.path);
    try {
      file.prepare('SELECT 1 FROM usage').get();
      await gateway.stop();
      const usage = file
        .prepare('SELECT count(*) AS rows, sum(scrapes) AS scrapes, sum(tokens_issued) AS tokens FROM usage')
        .get();
      expect(usage).toEqual({ rows: projects, scrapes: 3 * projects, tokens: projects });
      const log = file.prepare('SELECT count(*) AS rows, sum(added) AS entries FROM access_ring').get();
      expect(log).toEqual({ rows: 2 * projects, entries: 4 * projects });
    } finally {
      file.close();
    }
  },
);
