import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { writeDemoCertificate } from '../../src/demo/certificate.js';
import { datadogPython, eventually, Programs } from '../support/programs.js';
import { PrometheusProcess, type Target } from '../support/prometheus-process.js';
import {
  datadogInstance,
  type FaultySetting,
  goodScraper,
  prometheusJob,
  type ScrapeFault,
  type Scraper,
  scrapeFaults,
} from '../support/scrape-faults.js';
import { securely } from '../support/securely.js';
import { VmagentProcess } from '../support/vmagent-process.js';
import { WeirProcess } from '../support/weir-process.js';

/** One Prometheus with a job for each fault, a vmagent and Datadog's check for each: they show what the page says. */
const programs = new Programs();
afterAll(() => programs.end());
const faults = Object.keys(scrapeFaults) as ScrapeFault[];

let setting: FaultySetting;
let inPrometheus: readonly Target[];

beforeAll(async () => {
  datadogPython();
  const certificate = await writeDemoCertificate(programs.folder, Date.now());
  const caFile = certificate.certFile;
  const weir = await WeirProcess.start(programs, [`--web.config.file=${certificate.webConfigFile}`]);
  await weir.createProject('acme', 'db1');
  const clients = {
    good: await weir.createClient('acme', 'read:metrics'),
    mistaken: await weir.createClient('acme', 'read:metrics'),
    disabled: await weir.createClient('acme', 'read:metrics'),
    guessing: await weir.createClient('acme', 'read:metrics'),
    pusher: await weir.createClient('acme', 'write:metrics'),
  };
  await weir.command('client', 'disable', clients.disabled.client_id);
  let guess = 0;
  const guessed = async (): Promise<number> =>
    securely({
      method: 'POST',
      url: clients.guessing.token_url,
      authorization: `Basic ${btoa(`${clients.guessing.client_id}:weir_cs_guess${guess++}`)}`,
      contentType: 'application/x-www-form-urlencoded',
      body: 'grant_type=client_credentials',
      caFile,
    });
  await eventually('guesses to be throttled', async () => ((await guessed()) === 429 ? true : undefined), {
    everyMs: 0,
  });
  const login = createServer(
    { cert: readFileSync(caFile), key: readFileSync(certificate.keyFile) },
    (_, response) => void response.end('<html>Please sign in</html>'),
  );
  await new Promise<void>((resolve) => login.listen(0, '127.0.0.1', resolve));
  programs.atEnd(() => void login.close());
  const loginUrl = `https://127.0.0.1:${(login.address() as AddressInfo).port}`;
  setting = { url: weir.url, caFile, plainUrl: weir.operatorUrl, loginUrl, clients };

  // Seldom enough for its wrong secrets not to become guessing, however slow the machine is.
  const jobs = faults.map((fault) => prometheusJob(fault, faulty(fault), '3s'));
  const config = stringify({ scrape_configs: [prometheusJob('good', goodScraper(setting), '3s'), ...jobs] });
  const prometheus = await PrometheusProcess.start(programs, config);
  inPrometheus = await eventually('every target to be scraped', async () => {
    const found = await prometheus.targets();
    return found.length > faults.length && found.every(({ health }) => health !== 'unknown') ? found : undefined;
  });
  // Nor shall they, for the others.
  await prometheus.kill();
});

const faulty = (fault: ScrapeFault): Scraper => {
  const { caFile, ...scraper } = { ...goodScraper(setting), ...scrapeFaults[fault](setting) };
  return caFile === undefined ? scraper : { ...scraper, caFile };
};

/** What the Agent would show, of one run. */
async function datadogError(scraper: Scraper): Promise<string> {
  const script = fileURLToPath(new URL('datadog_check.py', import.meta.url));
  const bundle = scraper.caFile === undefined ? {} : { REQUESTS_CA_BUNDLE: scraper.caFile };
  const env = { ...bundle, DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false' };
  const { status, stdout, stderr } = await programs.run(
    datadogPython(),
    [script, JSON.stringify(datadogInstance(scraper))],
    {
      env,
      input: '{"clock_s": 0}\n',
    },
  );
  expect(status, stderr).toBe(0);
  return (JSON.parse(stdout) as { error: string }).error;
}

const pageText = readFileSync('docs/troubleshooting.md', 'utf8');

/** The cells behind the fault's name, by its anchor, of the table whose rows begin like this. */
const table = (row: RegExp): Map<string, string[]> =>
  new Map(
    pageText.split('\n').flatMap((line) => {
      const fault = row.exec(line)?.[1];
      return fault === undefined ? [] : [[fault, line.slice(0, -2).split(' | ').slice(1)]];
    }),
  );
const prometheusTable = table(/^\| <a id="([^"]+)"><\/a>/);
const othersTable = table(/^\| \[[^\]]+\]\(#([^)]+)\) \|/);

/** What was shown contains the parts of the cell. */
function expectShown(shown: string, cell: string | undefined): void {
  const quoted = /^`([^`]+)`$/.exec(cell ?? '')?.[1];
  expect(quoted, `${cell}; shown was: ${shown}`).toBeDefined();
  for (const part of quoted!.split(' … ')) expect(shown).toContain(part);
}

it('the tables have every fault that is made here, and no other', () => {
  expect([...prometheusTable.keys()]).toEqual(faults);
  expect([...othersTable.keys()]).toEqual(faults);
});

/** Which entry of the page of errors the answer links to; of what the gateway refuses. */
const linked: Partial<Record<ScrapeFault, string>> = {
  'wrong-secret': 'invalid_client',
  'disabled-client': 'invalid_client',
  guessing: 'rate_limited',
  'scope-too-many': 'invalid_scope',
  'wrong-token-path': 'no_such_path',
  'push-client': 'insufficient_scope',
  'wrong-endpoint': 'not_found',
  'other-project': 'not_found',
  'name-with-slash': 'no_such_path',
  'basic-on-page': 'wrong_credentials',
};
/** Those of the token endpoint. */
const ofTokens: readonly ScrapeFault[] = [
  'wrong-secret',
  'disabled-client',
  'guessing',
  'scope-too-many',
  'wrong-token-path',
];
const linkOf = (fault: ScrapeFault): string => `${setting.url}/docs/errors#${linked[fault]}`;

describe('Prometheus', () => {
  const targetOf = (job: string): Target => inPrometheus.find(({ labels }) => labels.job === job)!;

  it('has a target that is up without a fault', () => {
    expect(targetOf('good')).toMatchObject({ health: 'up', lastError: '' });
  });

  it.each(faults)('%s shows as the page says', (fault) => {
    const { health, lastError } = targetOf(fault);
    expect(health).toBe('down');
    expectShown(lastError, prometheusTable.get(fault)?.at(-1));
    // It shows the body of a refused token, not that of a page.
    if (ofTokens.includes(fault)) expect(lastError).toContain(linkOf(fault));
  });
});

describe.concurrent('vmagent', () => {
  const run = async (scraper: Scraper): Promise<{ target: Target; log: string }> => {
    const vmagent = await VmagentProcess.start(
      programs,
      stringify({ scrape_configs: [prometheusJob('one', scraper, '1s')] }),
    );
    const [target] = await vmagent.scraped();
    return { target: target!, log: await vmagent.end() };
  };

  it('has a target that is up without a fault', async () => {
    expect((await run(goodScraper(setting))).target).toMatchObject({ health: 'up', lastError: '' });
  });

  it.each(faults)('%s shows as the page says', async (fault) => {
    const [onTargets, inLog] = othersTable.get(fault)!;
    const { target, log } = await run(faulty(fault));
    if (onTargets === 'up, without a sample') {
      expect(target).toMatchObject({ health: 'up', lastError: '', lastSamplesScraped: 0 });
    } else {
      expect(target.health).toBe('down');
      expectShown(target.lastError, onTargets);
    }
    expectShown(log, inLog === 'the same' ? onTargets : inLog);
    if (linked[fault] !== undefined) expect(ofTokens.includes(fault) ? log : target.lastError).toContain(linkOf(fault));
  });
});

describe.concurrent("Datadog's OpenMetrics check", () => {
  it('has no error without a fault', async () => {
    expect(await datadogError(goodScraper(setting))).toBe('');
  });

  it.each(faults)('%s shows as the page says', async (fault) => {
    expectShown(await datadogError(faulty(fault)), othersTable.get(fault)?.[2]);
  });

  it('refuses to ask for a token by http, as the page says', async () => {
    const shown = await datadogError({ ...goodScraper(setting), tokenUrl: 'http://127.0.0.1:1/oauth/token' });
    expect(shown).not.toBe('');
    expect(pageText).toContain(`\`${shown}\``);
  });
});
