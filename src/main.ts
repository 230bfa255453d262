import { readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { parseListenAddress } from './config/listen-address.js';
import type { Config } from './config.js';
import { OperatorError } from './domain/errors.js';
import type { Soon } from './domain/soon.js';
import type { Seams } from './gateway/seams.js';
import { type Gateway, openGateway } from './gateway.js';
import type { RequestFacts } from './http/context.js';
import { malformedRequest } from './http/errors.js';
import { openidEndpoint } from './http/openid-endpoints.js';
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

/** The process: opens, listens, and is ready. Throws `OperatorError` when it cannot. `reread` is for reloads. */
export async function serve(config: Config, seams: Seams, reread?: () => Config): Promise<RunningGateway> {
  const { log } = seams;
  const tls = readTls(config.web.configFile);
  if (tls !== undefined) checkCertificate(tls);
  const gateway = await openGateway(config, seams, reread);
  const operator = createServer(getRequestListener(gateway.operatorApp.fetch));
  const underWay = new Set<HttpBindings['outgoing']>();
  const answer = listener({ ...gateway, ...seams }, underWay);
  const publicServer =
    tls === undefined
      ? createServer(serverOptions, answer)
      : createTlsServer({ ...serverOptions, ...readCertificate(tls) }, answer);
  // Who has said all, and closed its half of the connection, is answered still. (@types/node does not know it.)
  Object.assign(publicServer, { httpAllowHalfOpen: true });
  const watcher = tls === undefined ? undefined : watchTls(config.web.configFile!, publicServer as TlsServer, seams);
  const [silent, silentOperator] = [silentConnections(publicServer), silentConnections(operator)];
  /** Backwards: the public listener first, and the operator sees it stop. */
  const close = async (): Promise<void> => {
    await closeServer(publicServer, silent, underWay as Set<ServerResponse>);
    clearInterval(watcher);
    await gateway.close();
    await closeServer(operator, silentOperator, []);
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

/**
 * Hands requests to the app. Every answer is counted once, also a scrape that was written straight to the socket. Answers
 * that took more than one turn are known in `underWay`, for a stop that comes meanwhile.
 */
function listener({ app, metrics, requests, clock, links }: Gateway & Seams, underWay: Set<HttpBindings['outgoing']>) {
  const settle = (response: Response, bindings: HttpBindings, begun: number): Response => {
    const { incoming, outgoing } = bindings;
    const took = clock.monotonic() - begun;
    const status = outgoing.headersSent ? outgoing.statusCode : response.status;
    metrics.request(status, incoming.method!, took);
    // A scrape that was written straight to the socket is not looked up.
    const isScrape = outgoing.headersSent && incoming.method === 'GET';
    const endpoint = isScrape ? undefined : openidEndpoint(incoming.url!);
    if (endpoint !== undefined) metrics.openid(endpoint, status, took);
    if (requests.isDetailed) requests.answered(bindings, status, took);
    return response;
  };
  const counted = (bindings: HttpBindings & RequestFacts, answer: () => Soon<Response>): Soon<Response> => {
    const begun = clock.monotonic();
    bindings.begun = begun;
    const response = answer();
    if (!(response instanceof Promise)) return settle(response, bindings, begun);
    underWay.add(bindings.outgoing);
    return response
      .then((settled) => settle(settled, bindings, begun))
      .finally(() => underWay.delete(bindings.outgoing));
  };
  // A malformed request is answered in the turn in which it came.
  let target = '';
  const throughHono = getRequestListener(
    (request, bindings) => counted(bindings as HttpBindings, () => app.hono.fetch(request, bindings)),
    // What is no proper request at all, such as one with a malformed Host.
    {
      errorHandler: () => malformedRequest(target, links),
    },
  );
  return (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const direct = app.direct(incoming);
    if (direct === undefined) {
      target = incoming.url!;
      return void throughHono(incoming, outgoing);
    }
    const bindings: HttpBindings = { incoming, outgoing };
    const send = (response: Response): void => {
      if (!outgoing.headersSent) void getRequestListener(() => response)(incoming, outgoing);
    };
    const response = counted(bindings, () => direct({ env: bindings }));
    if (response instanceof Promise) void response.then(send);
    else send(response);
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

/** Connections on which no request has come yet: Node does not count them as idle. */
function silentConnections(server: Server | TlsServer): Set<Socket> {
  const silent = new Set<Socket>();
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }) => {
    if (silent.size > 0) silent.delete(socket);
  });
  return silent;
}

/** Accepts no more, ends idle connections at once and the others with their answer. */
function closeServer(
  server: Server | TlsServer,
  silent: Set<Socket>,
  underWay: Iterable<ServerResponse>,
): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), drainMs);
    for (const response of underWay) response.shouldKeepAlive = false;
    server.prependListener('request', (_request, response) => {
      response.shouldKeepAlive = false;
    });
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(force);
      clearInterval(idle);
      resolve();
    });
    for (const socket of silent) socket.destroy();
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
