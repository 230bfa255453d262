import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { deliveryJson, estimateJson, streamJson } from '../admin/stream-shape.js';
import { OperatorError, WeirError } from '../domain/errors.js';
import type { DeliveryStatus, Estimate } from '../domain/stream.js';
import { managing, withManager, withSettings } from './common.js';
import type { Manager } from './manager.js';

const body = '<file>';
const bodyHelp = 'a JSON file in the shape of the API, "-" for standard input: it may hold secrets, so it is no flag';

export function streamCommand(): Command {
  const stream = new Command('stream').description(
    'Metric streams: what a project measures, pushed to Datadog, OTLP, Prometheus remote write or DogStatsD.',
  );

  const create = managing(stream.command('create').argument(body, bodyHelp)).requiredOption(
    '--project <id>',
    'Its project.',
  );
  create.description('Create a stream; it sends at once.');
  create.action((file: string, { project }: { project: string }) =>
    withManager(create, async ({ admin, one }) => one(streamJson(await admin.streams.create(project, readJson(file))))),
  );

  const list = managing(stream.command('list')).option('--project <id>', 'Only those of this project.');
  list.description('List streams with their status and how their deliveries go.');
  list.action(({ project }: { project?: string }) =>
    withManager(list, async ({ admin, many }) => {
      const rows = (await admin.streams.list(project)).map((each) => ({
        id: each.id,
        project_id: each.projectId,
        name: each.name,
        destination: each.destination.type,
        status: each.status,
        health: each.health,
        reason: each.statusReason ?? each.reason,
      }));
      many(rows, 'There are no streams; create one with "weir stream create FILE --project ID".');
    }),
  );

  const get = managing(stream.command('get').argument('<stream-id>')).description('Show a stream; its secrets as ***.');
  get.action((id: string) => withManager(get, async ({ admin, one }) => one(streamJson(await admin.streams.get(id)))));

  const set = managing(stream.command('set').argument('<stream-id>').argument('[file]', bodyHelp)).description(
    'Change what the file names, and nothing else; a running server follows within a second.',
  );
  set
    .option('--name <name>', 'A new name.')
    .addOption(
      new Option('--status <status>', 'Whether it sends; enabling lifts a suspension.').choices([
        'enabled',
        'disabled',
      ]),
    );
  set.action((id: string, file: string | undefined, { name, status }: { name?: string; status?: string }) =>
    withManager(set, async ({ admin, one }) => {
      const given = file === undefined ? {} : readJson(file);
      const flags = { ...(name === undefined ? {} : { name }), ...(status === undefined ? {} : { status }) };
      one(streamJson(await admin.streams.update(id, { ...(given as object), ...flags })));
    }),
  );

  const remove = managing(stream.command('delete').argument('<stream-id>')).description(
    'Delete a stream with its deliveries.',
  );
  remove.action((id: string) =>
    withManager(remove, async ({ admin, one }) => {
      await admin.streams.delete(id);
      one({ id, deleted: true });
    }),
  );

  stream.addCommand(testCommand());
  stream.addCommand(estimateCommand());
  stream.addCommand(deliveriesCommand());
  stream.addCommand(redeliverCommand());
  return stream;
}

function testCommand(): Command {
  const test = managing(new Command('test').argument('[stream-id]'));
  withSettings(test, ['streams.allowed-networks', 'streams.allow-http', 'streams.proxy-url']);
  test
    .description(
      'Send the gauge weir.stream_test now, from here (with --url from the server), and show what the destination answers.',
    )
    .option('--project <id>', 'With --destination: whose it will be.')
    .option('--destination <file>', 'A destination that no stream has yet, as JSON; "-" for standard input.');
  return test.action((id: string | undefined, { project, destination }: { project?: string; destination?: string }) =>
    withManager(test, async ({ admin, one }) => {
      const { durationMs, status, error, answer, delivered } = await tested(admin.streams, id, project, destination);
      one({ delivered, status, error, duration_ms: durationMs, answer });
      if (!delivered) process.exitCode = 1;
    }),
  );
}

function tested(streams: Manager['streams'], id?: string, project?: string, destination?: string) {
  if (id !== undefined && destination === undefined) return streams.test(id);
  if (id === undefined && project !== undefined && destination !== undefined) {
    return streams.testDestination(project, readJson(destination));
  }
  throw new WeirError('invalid', 'Give either the id of a stream, or --project and --destination.');
}

function estimateCommand(): Command {
  const estimate = managing(new Command('estimate').argument('[stream-id]')).description(
    'Show how many series a stream sends, of how many there are. Kinds of requests are known to the running server only: ask it with --url.',
  );
  estimate
    .option('--project <id>', 'With --subscriptions: whose they will be.')
    .option('--subscriptions <file>', 'Subscriptions that no stream has yet, as a JSON list; "-" for standard input.');
  return estimate.action(
    (id: string | undefined, { project, subscriptions }: { project?: string; subscriptions?: string }) =>
      withManager(estimate, async ({ admin: { streams }, many }) => {
        let found: readonly Estimate[];
        if (id !== undefined && subscriptions === undefined) found = await streams.estimateOf(id);
        else if (id === undefined && project !== undefined && subscriptions !== undefined) {
          found = await streams.estimate(project, readJson(subscriptions));
        } else throw new WeirError('invalid', 'Give either the id of a stream, or --project and --subscriptions.');
        many(found.map(estimateJson), 'There are no subscriptions.');
      }),
  );
}

function deliveriesCommand(): Command {
  const deliveries = managing(new Command('deliveries').argument('<stream-id>')).description(
    'Show what was sent and what became of it, newest first; with --format json every attempt.',
  );
  deliveries
    .addOption(new Option('--status <status>', 'Only these.').choices(['pending', 'delivered', 'failed', 'dropped']))
    .option('--limit <count>', 'How many at most.', '20');
  return deliveries.action((id: string, { status, limit }: { status?: DeliveryStatus; limit: string }) =>
    withManager(deliveries, async ({ admin, many }) => {
      if (!/^[1-9]\d{0,3}$/.test(limit)) throw new WeirError('invalid', 'The limit must be 1 to 9999.');
      const all = await admin.streams.deliveries(id, { limit: Number(limit), status });
      const isJson = deliveries.getOptionValue('format') === 'json';
      const rows = all.map(deliveryJson).map((each) => {
        if (isJson) return each;
        const last = each.attempts.at(-1);
        const {
          attempts,
          stream_id: _,
          created_at: __,
          finished_at: ___,
          ...shown
        } = each as typeof each & {
          finished_at?: string;
        };
        return { ...shown, attempts: attempts.length, last: last?.error_message ?? last?.status ?? null };
      });
      many(rows, 'The stream has no deliveries.');
    }),
  );
}

function redeliverCommand(): Command {
  const redeliver = managing(new Command('redeliver').argument('<stream-id>')).description(
    'Send again what was sent, failed or dropped, as long as the destination would take it. Destinations that overwrite by ' +
      'time count nothing twice; delta OTLP and DogStatsD do.',
  );
  redeliver
    .option('--delivery <id>', 'One delivery.')
    .option('--from <time>', 'All whose window ends at or after this time, such as 2026-01-31T12:00:00Z.')
    .option('--to <time>', 'All whose window ends at or before this time.');
  return redeliver.action((id: string, options: { delivery?: string; from?: string; to?: string }) =>
    withManager(redeliver, async ({ admin, one }) => {
      const { delivery, from, to } = options;
      if (delivery === undefined && from === undefined && to === undefined) {
        throw new WeirError('invalid', 'Give --delivery, or --from or --to.');
      }
      one({ id, redelivered: await admin.streams.redeliver(id, { id: delivery, from: time(from), to: time(to) }) });
    }),
  );
}

function time(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new WeirError('invalid', 'Write a time like 2026-01-31T12:00:00Z.');
  return ms;
}

/** The text is not quoted in errors: it may hold a secret. */
function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new OperatorError(`The file ${file} cannot be read: ${(error as Error).message}.`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new OperatorError(`The file ${file} is not valid JSON.`);
  }
}
