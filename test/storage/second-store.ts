import type { LocalAdmin } from '../../src/admin/admin.js';
import { systemRandom } from '../../src/domain/ids.js';
import { openStore } from '../../src/gateway/open-store.js';
import type { TestGateway } from '../support/gateway.js';

/**
 * Does what a command does beside the running server: its own store on the same file, opened and closed again. Its
 * configuration may differ from the server's.
 */
export async function asCommand<T>(
  gateway: TestGateway,
  work: (admin: LocalAdmin) => Promise<T>,
  config = gateway.config,
): Promise<T> {
  const { store, admin } = await openStore(
    config,
    { clock: gateway.clock, random: systemRandom },
    { exclusive: false, actor: 'cli:test' },
  );
  try {
    return await work(admin);
  } finally {
    await store.close();
  }
}
