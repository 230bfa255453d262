import { Command, Option } from 'commander';
import { type SigningAlgorithm, signingAlgorithms } from '../domain/signing.js';
import { managing, withManager } from './common.js';
import type { SigningKeyFacts } from './manager.js';
import { isoTime } from './output.js';

const row = ({ kid, alg, state, createdAt }: SigningKeyFacts) => ({ kid, alg, state, created_at: isoTime(createdAt) });

const none = 'There are no keys.';

export function keyCommand(): Command {
  const key = new Command('key').description('Keys that sign access tokens: next, current, retired.');

  const list = managing(key.command('list')).description('List the keys.');
  list.action(() => withManager(list, async ({ admin, many }) => many((await admin.keys.list()).map(row), none)));

  const rotate = managing(key.command('rotate')).description(
    'Make the next key the current one, within a second, and publish another. Nothing breaks: the old one verifies until ' +
      'the last token it signed has ended.',
  );
  rotate.addOption(
    new Option('--alg <algorithm>', 'Another algorithm; a new key of it takes over at once.').choices(
      signingAlgorithms,
    ),
  );
  rotate.action(({ alg }: { alg?: SigningAlgorithm }) =>
    withManager(rotate, async ({ admin, many }) => many((await admin.keys.rotate(alg)).map(row), none)),
  );

  const retire = managing(key.command('retire').argument('<kid>')).description(
    'Refuse all tokens of a key within a second, for a key that is known to others. Every scraper with such a token fails ' +
      'until it gets a new one; those written in Go keep it until it expires (15 minutes at most).',
  );
  retire.action((kid: string) =>
    withManager(retire, async ({ admin, many }) => many((await admin.keys.retire(kid)).map(row), none)),
  );
  return key;
}
