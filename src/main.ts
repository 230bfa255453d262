import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSecureContext } from 'node:tls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Config, parseListenAddress } from './config.js';
import { OperatorError } from './domain/errors.js';
import { type Gateway, openGateway, type Seams } from './gateway.js';
import { parseWebConfig, type WebTls } from './web-config.js';

export interface RunningGateway {
  readonly gateway: Gateway;
  /** Where clients reach it, without a slash at the end. */
  readonly publicUrl: string;
  readonly operatorUrl: string;
  /** Answers what is under way, commits, lets go of everything; 30 s at most. */
  stop(): Promise<void>;
}

/** Prometheus keeps idle connections for 5 min: ours must not be closed under it. */
const keepAliveMs = 310_000;
const drainMs = 25_000;
const tlsCheckMs = 1_000;

/** The process: opens, listens, and is ready. Throws `OperatorError` when it cannot. */
export async function serve(config: Config, seams: Seams): Promise<RunningGateway> {
  const { log } = seams;
  const tls = readTls(config.web.configFile);
  if (tls !== undefined) checkCertificate(tls);
  const gateway = await openGateway(config, seams);
  const operator = createServer(getRequestListener(gateway.operatorApp.fetch));
  const answer = getRequestListener(counting(gateway));
  const publicServer =
    tls === undefined
      ? createServer(serverOptions, answer)
      : createTlsServer({ ...serverOptions, ...readCertificate(tls) }, answer);
  const watcher = tls === undefined ? undefined : watchTls(config.web.configFile!, publicServer as TlsServer, seams);
  /** Backwards: the public listener first, and the operator sees it stop. */
  const close = async (): Promise<void> => {
    await closeServer(publicServer);
    clearInterval(watcher);
    await gateway.close();
    await closeServer(operator);
  };
  try {
    const operatorUrl = await listen(operator, config.operator.listenAddress, 'http');
    const listenUrl = await listen(publicServer, config.web.listenAddress, tls === undefined ? 'http' : 'https');
    const publicUrl = config.web.externalUrl ?? listenUrl;
    await gateway.setExternalUrl(publicUrl);
    log.info({ listener: 'public', address: listenUrl, external_url: publicUrl }, 'listening');
    log.info({ listener: 'operator', address: operatorUrl }, 'listening');
    return {
      gateway,
      publicUrl,
      operatorUrl,
      stop: async () => {
        gateway.drain();
        log.info('stopping: requests under way are finished first');
        await close();
        log.info('stopped');
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const serverOptions = {
  /** Two `Authorization` lines must be seen as two, not silently as the first. */
  joinDuplicateHeaders: true,
  keepAliveTimeout: keepAliveMs,
  headersTimeout: 30_000,
  requestTimeout: 60_000,
};

/** Every answer is counted once; a scrape that was written straight to the socket has counted itself. */
function counting({ app, metrics }: Gateway): Parameters<typeof getRequestListener>[0] {
  const count = (response: Response, { incoming, outgoing }: HttpBindings): Response => {
    if (!outgoing.headersSent) metrics.request(response.status, incoming.method!);
    return response;
  };
  return (request, env) => {
    const bindings = env as HttpBindings;
    const response = app.fetch(request, bindings);
    return response instanceof Promise
      ? response.then((settled) => count(settled, bindings))
      : count(response, bindings);
  };
}

/** Gives the URL it really listens on. */
function listen(server: Server | TlsServer, address: string, scheme: 'http' | 'https'): Promise<string> {
  const { host, port } = parseListenAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message;
      reject(new OperatorError(`Cannot listen on ${address}: ${reason}.`));
    });
    server.listen(port, host, () => {
      const bound = server.address() as AddressInfo;
      const everywhere = bound.address === '::' || bound.address === '0.0.0.0';
      const name = everywhere ? 'localhost' : bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      resolve(`${scheme}://${name}:${bound.port}`);
    });
  });
}

/** Accepts no more, ends idle connections at once and the others with their answer. */
function closeServer(server: Server | TlsServer): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), drainMs);
    server.prependListener('request', (_request, response) => {
      response.shouldKeepAlive = false;
    });
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(force);
      clearInterval(idle);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function readTls(path: string | undefined): WebTls | undefined {
  if (path === undefined) return undefined;
  try {
    return parseWebConfig(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`The web configuration file ${path} cannot be read: ${(error as Error).message}.`);
  }
}

/** Before anything is opened: a certificate and key that do not fit are the commonest mistake here. */
function checkCertificate(tls: WebTls): void {
  try {
    createSecureContext(readCertificate(tls));
  } catch (error) {
    throw new OperatorError(`The certificate ${tls.certFile} or its key cannot be used: ${(error as Error).message}.`);
  }
}

const readCertificate = ({ certFile, keyFile }: WebTls) => ({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
  minVersion: 'TLSv1.2' as const,
});

/** Takes up a renewed certificate or changed web configuration; one that cannot be used is logged, the old one stays. */
function watchTls(configFile: string, server: TlsServer, { log }: Seams): NodeJS.Timeout {
  const files = (): string[] => {
    const tls = readTls(configFile);
    return tls === undefined ? [configFile] : [configFile, tls.certFile, tls.keyFile];
  };
  const stamp = (): string => {
    try {
      return files()
        .map((file) => `${file} ${statSync(file).mtimeMs}`)
        .join();
    } catch (error) {
      return (error as Error).message;
    }
  };
  let seen = stamp();
  return setInterval(() => {
    const now = stamp();
    if (now === seen) return;
    seen = now;
    try {
      const tls = readTls(configFile);
      if (tls === undefined)
        throw new OperatorError('it no longer names a certificate, and plain http needs a restart');
      server.setSecureContext(readCertificate(tls));
      log.info({ file: tls.certFile }, 'took up the changed certificate');
    } catch (error) {
      log.error({ err: error, file: configFile }, 'the changed certificate cannot be used; the old one stays');
    }
  }, tlsCheckMs).unref();
}
