import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { readOrCreateKeys } from '../auth/key-file.js';
import { SecretHasher } from '../auth/secrets.js';
import type { Config } from '../config.js';
import { systemClock } from '../domain/clock.js';
import { OperatorError } from '../domain/errors.js';
import { systemRandom } from '../domain/ids.js';
import { openStore } from '../gateway/open-store.js';
import { backUp, checkDatabase, moveAside, restore } from '../storage/sqlite/backup.js';
import { readConfig, withSettings } from './common.js';

export function dbCommand(): Command {
  const db = new Command('db').description('Back up, restore and check the database.');
  const onFile = (command: Command): Command => withSettings(command, ['storage.path', 'config.file']);

  const backup = onFile(db.command('backup').argument('<file>'));
  backup
    .description(
      'Copy the database to a new file while the server runs. Beside it go its pepper (.pepper) and its encryption keys ' +
        '(.keys), without which it is of no use: guard all three like the originals.',
    )
    .option('--without-keys', 'Leave out pepper and encryption keys; they must be kept elsewhere.')
    .action((file: string, { withoutKeys = false }: { withoutKeys?: boolean }) => {
      const config = readConfig(backup);
      const keyFiles = withoutKeys ? [] : keyFilesOf(config, file);
      for (const { kept } of keyFiles) {
        if (existsSync(kept)) throw new OperatorError(`${kept} is there already; nothing was changed.`);
      }
      backUp(config.storage.path, file);
      for (const { used, kept } of keyFiles) copyFileSync(used, kept);
      for (const written of [file, ...keyFiles.map(({ kept }) => kept)]) process.stdout.write(`${written}\n`);
    });

  const restoring = onFile(db.command('restore').argument('<file>'));
  restoring
    .description(
      'Put a backup in the place of the database; the server must be stopped. What was revoked, disabled or rotated since ' +
        'the backup was made is as it was then.',
    )
    .option('--replace', 'Move a database that is there out of the way, to the same name with .replaced added.')
    .action(async (file: string, { replace = false }: { replace?: boolean }) => {
      const config = readConfig(restoring);
      const keyFiles = keyFilesOf(config, file).filter(({ kept }) => existsSync(kept));
      const changed = keyFiles.filter(({ used, kept }) => !existsSync(used) || !sameContent(used, kept));
      const occupied = changed.find(({ used }) => existsSync(used));
      if (occupied !== undefined && !replace) {
        throw new OperatorError(`${occupied.used} is there and differs from the backup's; nothing was changed.`);
      }
      await restore(file, config.storage.path, {
        replace,
        confirm: async (facts) => {
          const [pepper] = keyFilesOf(config, file);
          const path = existsSync(pepper!.kept) ? pepper!.kept : pepper!.used;
          await new SecretHasher(readOrCreateKeys(path, 'pepper', systemRandom, false)[0]!).confirm(facts, path);
        },
      });
      for (const { used, kept } of changed) {
        moveAside(used, ['']);
        copyFileSync(kept, used);
      }
      await checked(config);
      process.stdout.write(`${config.storage.path} is restored.\n`);
    });

  const check = onFile(db.command('check'));
  check
    .description('Look for damage, while the server runs or not. Exit code 1 when there is any.')
    .action(async () => {
      const config = readConfig(check);
      const problems = checkDatabase(config.storage.path);
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      if (problems.length > 0) {
        process.exitCode = 1;
        return;
      }
      await checked(config);
      process.stdout.write(`${config.storage.path} is fine.\n`);
    });
  return db;
}

/** `used` by the gateway, `kept` beside a backup. The pepper comes first. */
const keyFilesOf = ({ secrets }: Config, backupFile: string) => [
  { used: secrets.pepperFile, kept: `${backupFile}.pepper` },
  { used: secrets.encryptionKeysFile, kept: `${backupFile}.keys` },
];

const sameContent = (one: string, other: string): boolean => readFileSync(one).equals(readFileSync(other));

/** Opens it as every command does, and its signing keys: pepper and encryption keys must be its own. */
async function checked(config: Config): Promise<void> {
  const seams = { clock: systemClock, random: systemRandom };
  const { store, keys } = await openStore(config, seams, { exclusive: false, actor: 'system' });
  try {
    await keys.load();
  } finally {
    await store.close();
  }
}
