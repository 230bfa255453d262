import { Command } from 'commander';
import { managing, withManager } from './common.js';
import { isoTime } from './output.js';

export function banCommand(): Command {
  const ban = new Command('ban').description(
    'Who is answered 429 for guessing secrets. A right secret works all the same.',
  );

  const list = managing(ban.command('list')).description('List the bans that last.');
  list.action(() =>
    withManager(list, async ({ admin, many }) => {
      const rows = (await admin.bans.list()).map(({ clientId, address, createdAt, endsAt }) => ({
        client_id: clientId,
        address,
        created_at: isoTime(createdAt),
        ends_at: isoTime(endsAt),
      }));
      many(rows, 'Nobody is banned.');
    }),
  );

  const lift = managing(ban.command('lift').argument('<client-id>')).description(
    'Lift the bans of a client id, as listed.',
  );
  lift.option('--address <address>', 'Only the one from this address.');
  lift.action((clientId: string, { address }: { address?: string }) =>
    withManager(lift, async ({ admin, one }) =>
      one({ client_id: clientId, lifted: await admin.bans.lift(clientId, address) }),
    ),
  );
  return ban;
}
