import { Command } from 'commander';
import { parseDuration } from '../domain/duration.js';
import { managing, withManager } from './common.js';
import type { ScrapeTokenFacts } from './manager.js';
import { isoTime } from './output.js';

export function clientTokenCommand(): Command {
  const token = new Command('token').description('Long-lived scrape tokens, for scrapers that cannot do OAuth2.');

  const create = managing(token.command('create').argument('<client-id>')).description(
    'Create a scrape token with all that the client may do, good from the next request. It is printed this once and cannot ' +
      'be shown again. A scraper sends it as a bearer token.',
  );
  create
    .option('--expires <duration>', 'How long it is good: 1s to 366d.', '90d')
    .option('--name <name>', 'Which scraper has it.');
  create.action((id: string, { expires, name }: { expires: string; name?: string }) =>
    withManager(create, async ({ admin, one }) => {
      const wanted = { lifetimeMs: parseDuration(expires), name };
      const { token: made, scrapeToken } = await admin.clients.createScrapeToken(id, wanted);
      one({ client_id: id, token_id: scrapeToken.id, token: made, expires_at: isoTime(scrapeToken.expiresAt) });
    }),
  );

  const list = managing(token.command('list').argument('<client-id>'));
  list.description(
    'List scrape tokens with their last use, which may be a minute older than the truth; never a token.',
  );
  list.action((id: string) =>
    withManager(list, async ({ admin, many }) =>
      many((await admin.clients.scrapeTokens(id)).map(row), `The client "${id}" has no scrape tokens.`),
    ),
  );

  const revoke = managing(token.command('revoke').argument('<client-id>').argument('<token-id>')).description(
    'Refuse a scrape token within a second, for good. Scrapers that have it fail until they get another.',
  );
  revoke.action((id: string, tokenId: string) =>
    withManager(revoke, async ({ admin, one }) => {
      await admin.clients.revokeScrapeToken(id, tokenId);
      one({ client_id: id, token_id: tokenId, revoked: true });
    }),
  );
  return token;
}

const row = ({ id, name, createdAt, expiresAt, lastUse }: ScrapeTokenFacts) => ({
  token_id: id,
  name,
  status: expiresAt <= Date.now() ? 'expired' : 'live',
  created_at: isoTime(createdAt),
  expires_at: isoTime(expiresAt),
  last_used_at: lastUse === null ? null : isoTime(lastUse.at),
  last_used_ip: lastUse?.ip ?? null,
  last_used_agent: lastUse?.agent ?? null,
});
