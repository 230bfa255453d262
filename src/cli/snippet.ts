import { Command } from 'commander';
import { maySee } from '../domain/client.js';
import { OperatorError } from '../domain/errors.js';
import {
  checkInterval,
  checkPath,
  defaultInterval,
  defaultSecretFile,
  intervals,
  placesOf,
  type SnippetFacts,
} from '../snippets/facts.js';
import { snippetOf, snippets } from '../snippets/index.js';
import type { Snippet } from '../snippets/snippet.js';
import { collect, onStore, type StoreCommand, withStore } from './common.js';
import type { ClientFacts } from './manager.js';
import { type OutputFormat, showMany, showOne } from './output.js';

interface SnippetOptions {
  readonly project?: string;
  readonly endpoint?: readonly string[];
  readonly client?: string;
  readonly secretFile?: string;
  readonly caFile?: string;
  readonly interval: string;
  readonly format: OutputFormat;
}

export function snippetCommand(): Command {
  const command = onStore(new Command('snippet').argument('[tool]', 'the tool; without one, what there is'));
  command
    .description(
      'Print what makes a tool scrape: URLs, ids and scopes filled in, and no secret. Works on the store, without a server.',
    )
    .option('--project <id>', 'The project.')
    .option('--endpoint <metrics-id>', 'Only this endpoint. May be repeated; without it the whole project.', collect)
    .option('--client <id>', 'The client that scrapes; may be left out when the project has one alone.')
    .option(
      '--secret-file <file>',
      `Where the tool finds the secret: a file with nothing else in it. Default ${defaultSecretFile}.`,
    )
    .option('--ca-file <file>', "An authority that signed the gateway's certificate and that the system does not know.")
    .option('--interval <time>', `Time between scrapes: ${intervals.join('s, ')}s.`, `${defaultInterval}s`)
    .addHelpText('after', `\nTools: ${snippets.map(({ tool }) => tool).join(', ')}.`);
  return command.action(async (tool: string | undefined, options: SnippetOptions) => {
    if (tool === undefined) return print(listed(options.format));
    const snippet = snippetOf(tool);
    await withStore(command, async (context) => {
      const { facts, client } = await factsOf(snippet, options, context);
      for (const line of lacking(snippet, facts, client)) process.stderr.write(`weir: warning: ${line}\n`);
      print(shown(snippet, snippet.text(facts), options.format));
    });
  });
}

const print = (text: string): void => void process.stdout.write(text);

const listed = (format: OutputFormat): string =>
  showMany(
    snippets.map(({ tool, title, file, needs }) => ({ tool, title, file, needs: needs ?? null })),
    format,
    '',
  );

const shown = ({ tool, title, file }: Snippet, text: string, format: OutputFormat): string =>
  format === 'json' ? showOne({ tool, title, file, text }, format) : text;

async function factsOf(snippet: Snippet, options: SnippetOptions, { admin, store, externalUrl }: StoreCommand) {
  const { project: projectId, endpoint: metricsIds = [] } = options;
  if (projectId === undefined) throw new OperatorError('Whose metrics? Give --project ID.');
  await admin.projects.get(projectId);
  for (const metricsId of metricsIds) await admin.endpoints.get(projectId, metricsId);
  const client = scraperOf(await admin.clients.list(projectId), projectId, options.client);
  const hidden = metricsIds.find((metricsId) => !maySee(client, metricsId));
  if (hidden !== undefined) {
    throw new OperatorError(`The client "${client.id}" is narrowed to other endpoints than "${hidden}".`);
  }
  const keys = (await store.clients.get(client.id))?.keys ?? [];
  const facts: SnippetFacts = {
    gatewayUrl: externalUrl,
    projectId,
    metricsIds: [...new Set(metricsIds)],
    clientId: client.id,
    keyId: keys.find(({ jwk }) => jwk.kty === 'RSA')?.kid,
    secretFile: checkPath('secret_file', options.secretFile ?? snippet.secretFile ?? defaultSecretFile),
    caFile: options.caFile === undefined ? undefined : checkPath('ca_file', options.caFile),
    intervalSeconds: checkInterval(options.interval),
  };
  return { facts, client };
}

/** The one that was named, or the only one that may scrape. */
function scraperOf(clients: readonly ClientFacts[], projectId: string, id: string | undefined): ClientFacts {
  const scrapers = clients.filter(({ scopes }) => scopes.includes('read:metrics'));
  const create = `"weir client create NAME --project ${projectId} --scope read:metrics"`;
  if (id !== undefined) {
    const named = clients.find((client) => client.id === id);
    if (named === undefined) throw new OperatorError(`The project "${projectId}" has no client "${id}".`);
    if (scrapers.includes(named)) return named;
    throw new OperatorError(`The client "${id}" lacks the scope read:metrics; create another with ${create}.`);
  }
  const [only, ...others] = scrapers;
  if (only === undefined) throw new OperatorError(`Nobody may scrape "${projectId}" yet; run ${create}.`);
  if (others.length === 0) return only;
  const choice = scrapers.map((client) => `${client.id} (${client.name})`).join(', ');
  throw new OperatorError(`Several clients may scrape "${projectId}"; choose one with --client: ${choice}.`);
}

/** What is right in the snippet and will not work all the same. */
function lacking(snippet: Snippet, facts: SnippetFacts, client: ClientFacts): string[] {
  const { isHttps, base } = placesOf(facts);
  return [
    ...(snippet.httpsOnly && !isHttps
      ? [`${snippet.title} takes https alone, and the gateway is at ${base}; see --web.external-url.`]
      : []),
    ...(snippet.tool === 'grafana-cloud' && !client.allowBasic
      ? [`Allow HTTP Basic first: weir client set ${client.id} --allow-basic on`]
      : []),
    ...(snippet.tool === 'prometheus-jwt' && facts.keyId === undefined
      ? [`The client has no RSA key yet: weir client key add ${client.id} public-key.pem`]
      : []),
    ...(snippet.tool === 'newrelic-otlp' && !client.scopes.includes('create:metric_streams')
      ? [`The client "${client.id}" lacks the scope create:metric_streams.`]
      : []),
    ...(client.disabledAt === null ? [] : [`The client "${client.id}" is disabled.`]),
  ];
}
