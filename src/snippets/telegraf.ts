import { intervalReason, placesOf, timeoutReason, timeoutSeconds } from './facts.js';
import { shellWord, tomlString } from './quote.js';
import type { Snippet } from './snippet.js';

export const telegraf: Snippet = {
  tool: 'telegraf',
  title: 'Telegraf, with its HTTP input',
  file: 'telegraf.d/weir.conf',
  mediaType: 'application/toml',
  text: (facts) => {
    const { pages, tokenUrl, isHttps } = placesOf(facts);
    const tls = facts.caFile === undefined || !isHttps ? '' : `  tls_ca = ${tomlString(facts.caFile)}\n`;
    return `# Telegraf takes the secret from its environment:
#   WEIR_CLIENT_SECRET="$(cat ${shellWord(facts.secretFile)})" telegraf --config-directory /etc/telegraf/telegraf.d
[[inputs.http]]
  urls = [${pages.map(({ url }) => tomlString(url)).join(', ')}]
  data_format = "prometheus"

  # ${intervalReason(facts)}
  interval = "${facts.intervalSeconds}s"

  # ${timeoutReason}
  timeout = "${timeoutSeconds(facts)}s"

  client_id = ${tomlString(facts.clientId)}
  client_secret = "\${WEIR_CLIENT_SECRET}"
  token_url = ${tomlString(tokenUrl)}
  scopes = ["read:metrics"]
${tls}
  [inputs.http.tags]
    project = ${tomlString(facts.projectId)}
`;
  },
};
