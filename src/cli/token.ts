import { Command } from 'commander';
import { fetchToken, type TokenAnswer, type TokenWish } from './access-token.js';
import { onStore, withStore } from './common.js';

interface TokenOptions extends TokenWish {
  readonly url?: string;
  readonly format: 'table' | 'json';
}

export function tokenCommand(): Command {
  const token = onStore(new Command('token')).description('Print an access token from the running server.');
  token
    .requiredOption('--client-id <id>', 'The client.')
    .requiredOption('--client-secret-file <file>', 'A file with its secret; "-" for standard input.')
    .option('--url <url>', 'Where the server is; as it last said in the store when left out. [WEIR_URL]')
    .option('--scope <scopes>', 'Scopes to ask for, with blanks between; all of the client when left out.')
    .option('--ca-file <file>', 'Certificate to trust beside those of the system.');
  token.action(async (options: TokenOptions) => {
    const given = options.url ?? process.env.WEIR_URL;
    if (given !== undefined) return print(await fetchToken(given, options), options);
    await withStore(token, async ({ externalUrl }) => print(await fetchToken(externalUrl, options), options));
  });
  return token;
}

function print(response: TokenAnswer, { format }: TokenOptions): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(response, null, 2)}\n` : `${response.access_token}\n`);
}
