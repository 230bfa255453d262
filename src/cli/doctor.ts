import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { LocalAdmin } from '../admin/admin.js';
import { examine } from '../doctor/doctor.js';
import type { Finding } from '../doctor/finding.js';
import type { Records } from '../doctor/records.js';
import { systemWire } from '../doctor/wire.js';
import { reasonAdvice } from '../domain/access-advice.js';
import { secretStatus } from '../domain/client.js';
import { systemClock } from '../domain/clock.js';
import { OperatorError } from '../domain/errors.js';
import { collect, onStore, readConfig, withStore } from './common.js';
import type { OutputFormat } from './output.js';

interface Flags {
  readonly project: string;
  readonly endpoint?: string[];
  readonly client?: string;
  readonly clientSecretFile?: string;
  readonly caFile?: string;
  readonly url?: string;
  readonly format: OutputFormat;
}

export function doctorCommand(): Command {
  const doctor = onStore(new Command('doctor')).description(
    'Walk the path a scraper takes, and say at each step what is wrong and what to do. Exit code 1 when something is.',
  );
  doctor
    .requiredOption('--project <id>', 'Whose pages.')
    .option('--endpoint <metrics-id>', "Only this endpoint's page. May be repeated.", collect)
    .option('--client <id>', 'The client the scraper has.')
    .option('--client-secret-file <file>', 'A file with its secret, the very one the scraper reads.')
    .option('--ca-file <file>', 'Certificate to trust instead of those of the system, as for the scraper.')
    .option('--url <url>', 'Where the gateway is; without it, also what its database knows is looked at. [WEIR_URL]')
    .action(async (flags: Flags) => {
      if ((flags.client === undefined) !== (flags.clientSecretFile === undefined)) {
        throw new OperatorError('--client and --client-secret-file go together.');
      }
      const given = flags.url ?? process.env.WEIR_URL;
      if (given !== undefined) return report(await walk(given, flags, undefined), flags.format);
      await withStore(doctor, async ({ admin, externalUrl }) => {
        const { limits } = readConfig(doctor);
        report(await walk(externalUrl, flags, recordsOf(admin, flags.project, limits.series)), flags.format);
      });
    });
  return doctor;
}

function walk(url: string, flags: Flags, records: Records | undefined): Promise<Finding[]> {
  const { project: projectId, endpoint: metricsIds = [], client: clientId, clientSecretFile, caFile } = flags;
  const wire = systemWire(caFile === undefined ? undefined : read(caFile), () => systemClock.monotonic());
  const secret = clientId === undefined ? undefined : { clientId, raw: read(clientSecretFile!).toString('utf8') };
  return examine(
    { url: url.replace(/\/+$/, ''), projectId, metricsIds, secret },
    { wire, records, now: () => systemClock.now() },
  );
}

/** Bytes, for a newline at the end is worth a remark. */
function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new OperatorError(`The file ${file} cannot be read: ${(error as Error).message}.`);
  }
}

/** Enough for the newest of every page of a large project. */
const entriesRead = 1000;

function recordsOf(
  { projects, endpoints, clients, accessLog }: LocalAdmin,
  projectId: string,
  configuredSeries: number,
): Records {
  const found = async () => (await projects.list()).find(({ id }) => id === projectId);
  return {
    hasProject: async () => (await found()) !== undefined,
    lastAsked: () => accessLog.list({ projectId, limit: entriesRead }),
    seriesLimit: async (metricsId) => {
      const ofProject = (await found())?.limits.series ?? configuredSeries;
      const all = metricsId === undefined ? [] : await endpoints.list(projectId);
      const own = all.find((endpoint) => endpoint.metricsId === metricsId)?.limits.series ?? 0;
      return Math.min(ofProject || own, own || ofProject);
    },
    whyRefused: async (clientId) => {
      const client = (await clients.list()).find(({ id }) => id === clientId);
      if (client === undefined) {
        return {
          found: 'there is no such client',
          cause: 'The client was deleted, or its id is cut or of another gateway.',
          cure: '"weir client list" shows those there are.',
        };
      }
      if (client.disabledAt !== null) {
        return {
          found: `the client is disabled since ${new Date(client.disabledAt).toISOString()}`,
          ...reasonAdvice.disabled_client,
        };
      }
      const now = systemClock.now();
      const dead = (await clients.secrets(clientId))
        .map((one) => secretStatus(one, now))
        .filter((one) => one !== 'live');
      const past =
        dead.length === 0 ? '' : `; ${dead.length} of its earlier ones are ${[...new Set(dead)].join(' or ')}`;
      return { found: `the secret is none of the client's${past}`, ...reasonAdvice.wrong_credentials };
    },
  };
}

const marks = { ok: 'ok  ', warning: 'WARN', problem: 'FAIL', skipped: '-   ' } as const;

function report(findings: readonly Finding[], format: OutputFormat): void {
  if (findings.some(({ status }) => status === 'problem')) process.exitCode = 1;
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    return;
  }
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, status, found, cause, cure, link } of findings) {
    const advice = cause === undefined ? '' : `. ${cause} ${cure}`;
    const more = link === undefined ? '' : ` See ${link}`;
    process.stdout.write(`${marks[status]}  ${check.padEnd(width)}  ${found}${advice}${more}\n`);
  }
}
