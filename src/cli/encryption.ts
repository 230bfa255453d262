import { Command } from 'commander';
import { onStore, withStore } from './common.js';

const none = 'Nothing is encrypted yet: the first start makes the signing keys.';

export function encryptionCommand(): Command {
  const encryption = new Command('encryption').description('Keys that encrypt what is secret in the database.');

  const check = onStore(encryption.command('check')).description(
    'Read every encrypted value, and show which key of the file each needs. Exit code 1 when one cannot be read.',
  );
  check.action(() =>
    withStore(check, async ({ admin, many }) =>
      many(
        (await admin.encryption.check()).map(({ value, row, key, line }) => ({ value, row, key, line })),
        none,
      ),
    ),
  );

  const rotate = onStore(encryption.command('rotate')).description(
    'Put a new key first in the key file and encrypt every value with it, in one transaction. A running server goes on ' +
      'and follows by itself. The old keys stay in the file: take them out when "weir encryption check" shows line 1 ' +
      'everywhere and no backup needs them. A file named by WEIR_ENCRYPTION_KEYS_FILE is yours: put the new key first ' +
      'yourself, then run this.',
  );
  rotate.action(() =>
    withStore(rotate, async ({ admin, one }) => {
      const { key, isNew, values, unused } = await admin.encryption.rotate(!process.env.WEIR_ENCRYPTION_KEYS_FILE);
      one({ key, new_key: isNew, values, unused_keys: unused });
    }),
  );
  return encryption;
}
