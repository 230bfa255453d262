import { WeirError } from '../domain/errors.js';
import { printable } from '../domain/ids.js';
import { checkInterval, checkPath, defaultInterval, defaultSecretFile } from '../snippets/facts.js';
import { snippetOf, snippets } from '../snippets/index.js';
import type { Snippet } from '../snippets/snippet.js';
import type { Directory } from '../storage/directory.js';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js';
import { type Access, type Authenticator, reachEndpoint, reachProject, requireScope } from './authenticate.js';
import type { Ctx } from './context.js';
import { statusOf } from './errors.js';
import type { RateLimit } from './rate-limit.js';
import { counted, type RequestCounting } from './requests.js';

export interface SnippetsOptions extends RequestCounting {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly metrics: GatewayMetrics;
  /** A snippet counts as a scrape. */
  readonly rateLimit: RateLimit;
  /** The external URL. */
  readonly issuer: () => string;
}

/** `GET /api/v1/{project}/snippets`: what there is a snippet for, with its URL. */
export function getSnippets(c: Ctx, projectId: string, options: SnippetsOptions): Promise<Response> {
  return answered(c, projectId, options, '/snippets', async () => {
    const base = `${options.issuer()}/api/v1/${projectId}/snippets`;
    const rows = snippets.map(({ tool, title, file, mediaType, httpsOnly = false, needs = null }) => {
      return { tool, title, file, media_type: mediaType, https_only: httpsOnly, needs, url: `${base}/${tool}` };
    });
    return new Response(`${JSON.stringify({ snippets: rows })}\n`, { headers: headersOf('application/json') });
  });
}

/** `GET /api/v1/{project}/snippets/{tool}`: the text that makes the tool scrape, for the client that asks. */
export function getSnippet(c: Ctx, projectId: string, tool: string, options: SnippetsOptions): Promise<Response> {
  return answered(c, projectId, options, '/snippets/{tool}', async (access, project) => {
    const snippet = snippetOf(tool);
    const { endpoints, ...asked } = readQuery(c.env.incoming.url!, snippet);
    for (const metricsId of endpoints) await reachEndpoint(access, project, metricsId, options.directory);
    const clientId = asked.clientId ?? ownId(access);
    const live = clientId === access.clientId ? await options.directory.client(clientId) : undefined;
    const keyId = live?.keys.find(({ jwk }) => jwk.kty === 'RSA')?.kid;
    const facts = { ...asked, gatewayUrl: options.issuer(), projectId, metricsIds: endpoints, clientId, keyId };
    return new Response(snippet.text(facts), { headers: headersOf(`${snippet.mediaType}; charset=utf-8`) });
  });
}

async function answered(
  c: Ctx,
  projectId: string,
  options: SnippetsOptions,
  path: string,
  answer: (access: Access, project: Awaited<ReturnType<typeof reachProject>>) => Promise<Response>,
): Promise<Response> {
  const { authenticator, directory, metrics, rateLimit } = options;
  const operation_name = `${c.env.incoming.method} /api/v1/{project}${path}`;
  return counted(options, c, { api: 'METRICS', operation_name }, async () => {
    const authorize = async () => {
      const access = await authenticator.authenticate(c);
      const project = await reachProject(access, projectId, directory);
      requireScope(access, 'read:metrics');
      return { access, project };
    };
    const { access, project } = await authorize().catch((error: unknown) => {
      metrics.unauthorized(statusOf(error));
      throw error;
    });
    metrics.authorized();
    rateLimit.check(access.clientId, project.limits);
    return answer(access, project);
  });
}

const headersOf = (contentType: string) => ({
  'content-type': contentType,
  'cache-control': 'private, no-store',
  vary: 'Authorization',
});

/** What the URL asks for beside the tool; throws `invalid` for what is wrong or unknown. */
function readQuery(url: string, snippet: Snippet) {
  const query = new URL(url, 'http://gateway').searchParams;
  const unknown = [...query.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) {
    const sentence = `There is no parameter "${printable(unknown)}"; there are ${parameters.join(', ')}.`;
    throw new WeirError('invalid', sentence, { field: printable(unknown) });
  }
  const one = (name: string): string | undefined => {
    const [value, more] = query.getAll(name);
    if (more !== undefined) throw new WeirError('invalid', `The parameter ${name} is given twice.`, { field: name });
    return value;
  };
  const caFile = one('ca_file');
  return {
    endpoints: [...new Set(query.getAll('endpoint'))],
    clientId: checkClientId(one('client_id')),
    secretFile: checkPath('secret_file', one('secret_file') ?? snippet.secretFile ?? defaultSecretFile),
    caFile: caFile && checkPath('ca_file', caFile),
    intervalSeconds: checkInterval(one('interval') ?? String(defaultInterval)),
  };
}

const parameters: readonly string[] = ['endpoint', 'client_id', 'secret_file', 'ca_file', 'interval'];

/** Only its form: whether it exists is nobody's business who may only scrape. */
function checkClientId(id: string | undefined): string | undefined {
  if (id === undefined || clientIdForm.test(id)) return id;
  throw new WeirError('invalid', 'A client id is "weir_cid_" and 22 letters, digits, "_" or "-".', {
    field: 'client_id',
  });
}

const clientIdForm = /^weir_cid_[A-Za-z0-9_-]{22}$/;

function ownId({ clientId }: Access): string {
  if (clientIdForm.test(clientId)) return clientId;
  const sentence =
    'The token is of another issuer, whose clients get their tokens there; name a client of the gateway.';
  throw new WeirError('invalid', sentence, { field: 'client_id' });
}
