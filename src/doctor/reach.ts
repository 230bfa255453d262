import { type Finding, ok, problem, warning } from './finding.js';
import type { Handshake, Wire } from './wire.js';

const warnBeforeEndMs = 14 * 86_400_000;

/** From the URL to a connection one may speak on. Stops at the first problem. */
export async function reach(url: URL, wire: Wire, now: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const step of [address, name, connection, url.protocol === 'https:' ? tls : plain]) {
    const finding = await step(url, wire, now);
    findings.push(finding);
    if (finding.status === 'problem') break;
  }
  return findings;
}

type Step = (url: URL, wire: Wire, now: number) => Finding | Promise<Finding>;

const host = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');
const port = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? (error as Error).message;

const address: Step = (url) => {
  if (url.pathname !== '/' || url.search !== '') {
    return problem('address', `${url} has a path`, {
      cause: 'The address of the gateway is a scheme, a host and a port; tokens and pages lie below that.',
      cure: `Write ${url.origin}.`,
    });
  }
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host(url));
  if (url.protocol === 'https:' || isLoopback) return ok('address', url.origin);
  return warning('address', `${url.origin} is plain http`, {
    cause: 'Secrets and tokens go over the network in the clear, and the Datadog Agent refuses such a token URL.',
    cure: 'Serve https: --web.config.file, or a proxy before Weir (docs/operating.md).',
  });
};

const name: Step = async (url, wire) => {
  try {
    return ok('name', (await wire.addressesOf(host(url))).join(', '));
  } catch (error) {
    return problem('name', `${host(url)} does not resolve (${codeOf(error)})`, {
      cause: 'The name is misspelt, or the DNS of this machine does not know it.',
      cure: `Try "getent hosts ${host(url)}" where the scraper runs, in its container.`,
    });
  }
};

const connection: Step = async (url, wire) => {
  try {
    await wire.connect(host(url), port(url));
    return ok('connection', `${host(url)} port ${port(url)}`);
  } catch (error) {
    const code = codeOf(error);
    return problem('connection', `${host(url)} port ${port(url)}: ${code}`, {
      cause:
        code === 'ECONNREFUSED'
          ? 'Nothing listens there: the gateway is down, or listens on another port or on loopback only.'
          : 'Nothing answers there: a firewall, a network policy or a wrong address.',
      cure: 'Compare with --web.listen-address of "weir serve" and with what stands before it.',
    });
  }
};

const tls: Step = async (url, wire, now) => {
  let seen: Handshake;
  try {
    seen = await wire.handshake(host(url), port(url));
  } catch (error) {
    return problem('tls', `no TLS on port ${port(url)} (${codeOf(error)})`, {
      cause: 'What listens there does not speak TLS.',
      cure: `Write http instead of https, if that is meant: http://${url.host}.`,
    });
  }
  const { fault, protocol, endsAt, names } = seen;
  const ends = new Date(endsAt).toISOString().slice(0, 10);
  if (fault !== undefined)
    return problem('tls', `the certificate is not trusted (${fault})`, certificateAdvice(fault, names));
  if (endsAt - now < warnBeforeEndMs) {
    return warning('tls', `the certificate ends on ${ends}`, {
      cause: 'It was not renewed yet.',
      cure: 'Renew it; Weir takes up a changed file by itself.',
    });
  }
  return ok('tls', `${protocol}, certificate until ${ends}`);
};

function certificateAdvice(fault: string, names: string): { cause: string; cure: string } {
  if (fault === 'CERT_HAS_EXPIRED') return { cause: 'The certificate is over.', cure: 'Renew it.' };
  if (fault === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return { cause: `The certificate is for other names: ${names}.`, cure: 'Use one of them in the URL.' };
  }
  if (fault === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE') {
    return {
      cause:
        'The issuer is unknown here: an intermediate certificate is missing from the chain, or it is a private one.',
      cure: 'Put the whole chain into cert_file; for a private issuer name its certificate with --ca-file and ca_file.',
    };
  }
  return {
    cause: 'The certificate was made by an issuer that this machine does not know.',
    cure: 'Name its certificate: --ca-file here, tls_config.ca_file in Prometheus (once for the scrape, once in oauth2).',
  };
}

/** Plain http it is; unless the other side speaks TLS. */
const plain: Step = async (url, wire) => {
  try {
    await wire.ask(url);
    return ok('tls', 'plain http');
  } catch {
    // Told below, if it is what one would think.
  }
  try {
    await wire.handshake(host(url), port(url));
  } catch {
    return ok('tls', 'plain http');
  }
  return problem('tls', `port ${port(url)} speaks TLS`, {
    cause: 'The URL says http, the gateway serves https.',
    cure: `Write https://${url.host}.`,
  });
};
