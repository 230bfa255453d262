import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Admin } from '../admin/admin.js';
import type { Config } from '../config.js';
import { alertRuleFile } from '../demo/alert-rules.js';
import { certificateNames, writeDemoCertificate } from '../demo/certificate.js';
import { DemoFolder } from '../demo/folder.js';
import { curlUsesProxy, guide } from '../demo/guide.js';
import { demoInstances } from '../demo/instances.js';
import type { DemoPlan } from '../demo/plan.js';
import { Producer } from '../demo/producer.js';
import { prometheusConfig } from '../demo/prometheus-config.js';
import { findPrometheus, PrometheusProgram } from '../demo/prometheus-program.js';
import { InstanceSimulator } from '../demo/simulator.js';
import { systemClock } from '../domain/clock.js';
import { formatDuration } from '../domain/duration.js';
import { OperatorError } from '../domain/errors.js';
import type { RunningGateway } from '../main.js';
import { start } from './serve.js';
import { aborted, onInterruption } from './signals.js';

/** Runs until it is interrupted; then all is closed, and the folder removed unless it is to be kept. */
export async function runDemo(plan: DemoPlan): Promise<void> {
  const interruption = onInterruptionOrClosedOutput();
  const unread = Object.keys(process.env).filter((name) => name.startsWith('WEIR_'));
  if (unread.length > 0) warn(`The demo has settings of its own and does not read ${unread.join(', ')}.`);
  // Before anything is made that would have to be removed.
  const prometheusProgram = plan.prometheusAddress === undefined ? undefined : findPrometheus();
  const folder = await DemoFolder.open(plan.dir);
  let keep = false;
  const removeUnlessKept = (): void => {
    if (!keep) folder.remove();
  };
  // For an end without ceremony.
  process.once('exit', removeUnlessKept);
  try {
    say('Starting the gateway ...');
    const certificate = plan.tls
      ? await writeDemoCertificate(folder.path, systemClock.now(), await certificateNames(plan.webListenAddress))
      : undefined;
    const running = await listening(plan.config(folder, certificate?.webConfigFile));
    keep = plan.keep;
    try {
      const customer = await createCustomer(running, certificate?.certFile);
      await simulate(customer, plan, folder, prometheusProgram, interruption);
    } finally {
      say('Stopping ...');
      await running.stop();
    }
  } finally {
    removeUnlessKept();
  }
  say(keep ? `Stopped. Its files are in ${folder.path}.` : 'Stopped.');
}

/** By a signal, a pipe that nobody reads any more, or a terminal that was closed. */
function onInterruptionOrClosedOutput(): AbortController {
  const interruption = onInterruption(['SIGINT', 'SIGTERM', 'SIGHUP']);
  process.stdout.on('error', () => interruption.abort());
  process.stderr.on('error', () => {});
  return interruption;
}

async function listening(config: Config): Promise<RunningGateway> {
  try {
    return await start(config);
  } catch (error) {
    if (!(error instanceof OperatorError && error.message.startsWith('Cannot listen on'))) throw error;
    const command = process.env.npm_lifecycle_event === 'demo' ? 'npm run demo --' : 'weir demo';
    const anyPort = '--web.listen-address 127.0.0.1:0 --operator.listen-address 127.0.0.1:0';
    throw new OperatorError(
      `${error.message}\nChoose other ports; 0 stands for any that is free: ${command} ${anyPort}`,
    );
  }
}

/** What there is for the guide to tell of, and the producer's credentials. */
type Customer = Awaited<ReturnType<typeof createCustomer>>;

/** A project with three instances, a client that scrapes and one that pushes. */
async function createCustomer({ publicUrl, operatorUrl, gateway }: RunningGateway, caFile: string | undefined) {
  const { projects, endpoints, clients }: Admin = gateway.admin;
  const { id: projectId } = await projects.create({ name: 'Demo', id: 'demo' });
  const instances = [];
  for (const instance of demoInstances) {
    const { metricsId } = await endpoints.create({ name: instance.name, projectId });
    instances.push({ ...instance, metricsId });
  }
  const scraper = await clients.create({ name: 'scraper', projectId, scopes: ['read:metrics'] });
  const producer = await clients.create({ name: 'simulator', projectId, scopes: ['write:metrics'] });
  return {
    publicUrl,
    operatorUrl,
    projectId,
    instances,
    clientId: scraper.client.id,
    clientSecret: scraper.secret,
    producer: { clientId: producer.client.id, clientSecret: producer.secret },
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** Pushes and, once that works, tells how to look at it, until the interruption. */
async function simulate(
  customer: Customer,
  plan: DemoPlan,
  folder: DemoFolder,
  prometheusProgram: string | undefined,
  interruption: AbortController,
): Promise<void> {
  const { prometheusFile, secretFile } = await writeCustomerFiles(customer, folder);
  const producer = producerOf(customer, plan.everyMs);
  const names = customer.instances.map(({ name }) => name).join(', ');
  say(`Waiting until the first pushes are acknowledged: ${names} ...`);
  const pushing = producer.run(interruption.signal);
  const interrupted = aborted(interruption.signal);
  let prometheus: PrometheusProgram | undefined;
  try {
    await Promise.race([producer.acknowledged, interrupted]);
    if (interruption.signal.aborted) return;
    if (prometheusProgram !== undefined) {
      say('Starting Prometheus ...');
      const options = { listenAddress: plan.prometheusAddress!, configFile: prometheusFile, folder };
      prometheus = await PrometheusProgram.start(prometheusProgram, options, interruption.signal);
      void prometheus.ended.then(() => {
        if (!interruption.signal.aborted) warn(`Prometheus has ended; see ${folder.file('prometheus.log')}.`);
      });
    }
    if (interruption.signal.aborted) return;
    const text = guide({
      ...customer,
      secretFile,
      folder: folder.path,
      keep: plan.keep,
      prometheusFile,
      ...(prometheus === undefined ? {} : { prometheusUrl: prometheus.url }),
      interval: formatDuration(plan.everyMs),
      behindProxy: curlUsesProxy(process.env, plan.tls ? 'https' : 'http'),
    });
    say(text);
    await interrupted;
  } finally {
    interruption.abort();
    await prometheus?.stop();
    await pushing;
  }
}

async function writeCustomerFiles({ clientSecret, ...customer }: Customer, folder: DemoFolder) {
  const prometheusFile = folder.file('prometheus.yml');
  const secretFile = folder.file('client-secret');
  const metricsIds = customer.instances.map(({ metricsId }) => metricsId);
  const facts = { ...customer, gatewayUrl: customer.publicUrl, metricsIds, secretFile };
  await writeFile(secretFile, clientSecret, { mode: 0o600 });
  await writeFile(folder.file('alerts.yml'), alertRuleFile());
  await writeFile(prometheusFile, prometheusConfig({ ...facts, ruleFile: 'alerts.yml' }));
  return { prometheusFile, secretFile };
}

function producerOf({ publicUrl, projectId, instances, producer, caFile }: Customer, everyMs: number): Producer {
  return new Producer({
    url: publicUrl,
    projectId,
    ...producer,
    instances: instances.map(({ name, metricsId, profile }) => {
      const simulator = new InstanceSimulator({ profile, clock: systemClock, random: Math.random });
      return { name, metricsId, exposition: () => simulator.exposition() };
    }),
    everyMs,
    clock: systemClock,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    say: warn,
  });
}

const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const warn = (text: string): boolean => process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${text}\n`);
