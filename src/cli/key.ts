import { Command, Option } from 'commander';
import { type SigningAlgorithm, signingAlgorithms } from '../domain/signing.js';
import type { StoredKey } from '../storage/store.js';
import { onStore, withStore } from './common.js';
import { isoTime } from './output.js';

const row = ({ kid, alg, state, createdAt }: StoredKey) => ({ kid, alg, state, created_at: isoTime(createdAt) });

const none = 'There are no keys.';

export function keyCommand(): Command {
  const key = new Command('key').description('Keys that sign access tokens: next, current, retired.');

  const list = onStore(key.command('list')).description('List the keys.');
  list.action(() => withStore(list, async ({ admin, many }) => many((await admin.keys.list()).map(row), none)));

  const rotate = onStore(key.command('rotate')).description(
    'Make the next key the current one, within a second, and publish another. Nothing breaks: the old one verifies until ' +
      'the last token it signed has ended.',
  );
  rotate.addOption(
    new Option('--alg <algorithm>', 'Another algorithm; a new key of it takes over at once.').choices(
      signingAlgorithms,
    ),
  );
  rotate.action(({ alg }: { alg?: SigningAlgorithm }) =>
    withStore(rotate, async ({ admin, many }) => many((await admin.keys.rotate(alg)).map(row), none)),
  );

  const retire = onStore(key.command('retire').argument('<kid>')).description(
    'Refuse all tokens of a key within a second, for a key that is known to others. Every scraper with such a token fails ' +
      'until it gets a new one; those written in Go keep it until it expires (15 minutes at most).',
  );
  retire.action((kid: string) =>
    withStore(retire, async ({ admin, many }) => many((await admin.keys.retire(kid)).map(row), none)),
  );
  return key;
}
