import { Command, Option } from 'commander';
import { systemClock } from '../domain/clock.js';
import { jwksCachedSeconds, type SigningAlgorithm, signingAlgorithms } from '../domain/signing.js';
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
      'the last token it signed has ended. Leave five minutes between two rotations: that long, others may keep a copy of the ' +
      'published keys.',
  );
  rotate.addOption(
    new Option('--alg <algorithm>', 'Another algorithm; a new key of it takes over at once.').choices(
      signingAlgorithms,
    ),
  );
  rotate.action(({ alg }: { alg?: SigningAlgorithm }) =>
    withManager(rotate, async ({ admin, many }) => {
      const keys = await admin.keys.rotate(alg);
      many(keys.map(row), none);
      const warning = notInEveryCopy(keys, systemClock.now());
      if (warning !== undefined) process.stderr.write(`weir: warning: ${warning}\n`);
    }),
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

/** What to say of a current key that some copies of the published keys cannot have yet, if it is such a one. */
function notInEveryCopy(keys: readonly SigningKeyFacts[], now: number): string | undefined {
  const since = keys.find(({ state }) => state === 'current')!.createdAt;
  const seconds = Math.max(0, Math.floor((now - since) / 1000));
  // The first two keys are published together: no copy has one without the other.
  const hasElder = keys.some(({ createdAt }) => createdAt < since - 1000);
  if (seconds >= jwksCachedSeconds || !hasElder) return undefined;
  return (
    `The key that signs now was published ${seconds} s ago, and copies of the published keys may be ${jwksCachedSeconds} s old: ` +
    'who checks tokens with such a copy refuses them until it is fetched again. The gateway itself takes them.'
  );
}
