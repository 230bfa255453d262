// Opens stores as commands do, in a process of its own, when its parent says so.
import { systemClock } from '../../src/domain/clock.js';
import { systemRandom } from '../../src/domain/ids.js';
import { openStore } from '../../src/gateway/open-store.js';
import { configFor } from './config-for.js';

process.on('message', async (path: string) => {
  try {
    const seams = { clock: systemClock, random: systemRandom };
    const { store, admin } = await openStore(configFor(path), seams, { exclusive: false, actor: 'cli:test' });
    await admin.projects.create({ name: `by ${process.pid}` });
    await store.close();
    process.send!({ opened: true });
  } catch (error) {
    process.send!({ opened: false, error: String(error) });
  }
});
process.send!('listening');
