// Rotates the encryption keys of a store without end, in a process of its own that its parent kills.
import { systemClock } from '../../src/domain/clock.js';
import { systemRandom } from '../../src/domain/ids.js';
import { openStore } from '../../src/gateway/open-store.js';
import { configFor } from '../durability/config-for.js';

const seams = { clock: systemClock, random: systemRandom };
const mode = { exclusive: false, actor: 'cli:test' };
const { admin } = await openStore(configFor(process.argv[2]!), seams, mode);
for (;;) {
  await admin.encryption.rotate(true);
  process.send!('rotated');
  await new Promise((resolve) => setImmediate(resolve));
}
