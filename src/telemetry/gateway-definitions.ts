import { unroutedReasons } from '../domain/routing.js';
import { sourceTypes } from '../domain/source.js';
import { statsdRefusals } from '../domain/statsd.js';
import { destinationTypes } from '../domain/stream.js';
import { defineMetrics } from './metrics/index.js';

/** Authelia's own (its telemetry reference, and internal/metrics). */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 40, 50, 60];
const authnBuckets = [
  0.0005, 0.00075, 0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 1, 5, 10, 15, 30, 60,
];
const workBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const;
const openidEndpoints = [
  'token',
  'introspection',
  'revocation',
  'jwks',
  'oauth_configuration',
  'protected_resource',
] as const;
export type OpenidEndpoint = (typeof openidEndpoints)[number];
const refusals = [
  'invalid',
  'conflict',
  'too_large',
  'limit_exceeded',
  'rate_limited',
  'unsupported_media_type',
  'unavailable',
  'internal',
];
const tokenErrors = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'server_error',
  'temporarily_unavailable',
];

/** Only a TSDB can say that something is missing, or give another's series. */
const pullResults = {
  exporter: ['ok', 'failed', 'refused'],
  promql: ['ok', 'incomplete', 'failed', 'refused', 'guard'],
} as const;
export const sourceStates = ['up', 'failing', 'dead'] as const;
const attemptResults = ['delivered', 'retry', 'refused', 'credentials'];

const each = <Label extends string>(label: Label, values: readonly string[]) =>
  values.map((value) => ({ [label]: value }) as Record<Label, string>);

const ofEach = (what: string): string => `${what}, by project; only with telemetry.metrics.project_label.`;

/**
 * All that the gateway tells its operator: the page, what is sent elsewhere, and the table of docs/telemetry.md come from
 * here. No label holds a path, a token, or anything else that callers invent.
 */
export const gatewayDefinitions = defineMetrics({
  build_info: {
    type: 'gauge',
    help: 'What is running; the value is always 1.',
    labels: ['version', 'revision', 'nodeversion'],
  },
  previous_shutdown_unclean: {
    type: 'gauge',
    help: '1 when the run before this one ended without closing the store: a crash, a kill or a power cut.',
  },
  ready: {
    type: 'gauge',
    help: 'Whether a condition of /-/ready holds; 0: it does not, and /-/ready says why.',
    labels: ['check'],
    known: each('check', ['running', 'storage', 'queue', 'keys', 'clock']),
  },

  'config.last_reload_successful': {
    type: 'gauge',
    help: 'Whether the configuration was read well the last time; 0: the one before it is in force.',
  },
  'config.last_reload_success_timestamp': {
    type: 'gauge',
    help: 'When the configuration was last read well, in seconds since the epoch.',
    unit: 'seconds',
  },

  request: {
    type: 'counter',
    help: 'Requests on the public listener, by status code and method.',
    labels: ['code', 'method'],
    known: each('method', ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']).map(({ method }) => ({ code: '200', method })),
  },
  request_duration: {
    type: 'timing',
    help: 'Time until the answer to a request on the public listener is ready.',
    labels: ['code'],
    buckets: requestBuckets,
    known: each('code', ['200']),
  },
  request_duration_openid_connect: {
    type: 'timing',
    help: 'The same at the endpoints of OAuth, by endpoint.',
    labels: ['endpoint', 'code'],
    buckets: requestBuckets,
    known: each('endpoint', openidEndpoints).map(({ endpoint }) => ({ endpoint, code: '200' })),
  },
  authz: {
    type: 'counter',
    help: 'Decisions whether who asks for or pushes metrics may: 200, or the status code of the refusal.',
    labels: ['code'],
    known: each('code', ['200', '401', '403', '404']),
  },
  authn: {
    type: 'counter',
    help: 'Clients that proved who they are (by secret or assertion) or failed to; banned: refused for guessing.',
    labels: ['success', 'banned'],
    known: [
      { success: 'true', banned: 'false' },
      { success: 'false', banned: 'false' },
      { success: 'false', banned: 'true' },
    ],
  },
  authn_duration: {
    type: 'timing',
    help: 'Time to check the proof of a client.',
    labels: ['success'],
    buckets: authnBuckets,
    known: each('success', ['true', 'false']),
  },
  'tokens.issued': { type: 'counter', help: 'Access tokens issued.' },
  'tokens.refused': {
    type: 'counter',
    help: 'Token requests refused, by OAuth error code.',
    labels: ['error'],
    known: each('error', tokenErrors),
  },
  bans: {
    type: 'counter',
    help: 'Bans of clients from addresses for guessing secrets: begun, lifted by a person, or not stored (a fault).',
    labels: ['event'],
    known: each('event', ['banned', 'lifted', 'not_stored']),
  },
  'signing_key.age': {
    type: 'gauge',
    help: 'Age of the key that signs access tokens.',
    unit: 'seconds',
  },

  'cache.requests': {
    type: 'counter',
    help: 'Scrapes by whether the page was in the cache.',
    labels: ['result'],
    known: each('result', ['hit', 'miss']),
  },
  'page.render': {
    type: 'timing',
    help: 'Time to render a page that was not in the cache; the count is the number of renders.',
    labels: [],
    buckets: workBuckets,
    known: [{}],
  },
  'page.size': {
    type: 'distribution',
    help: 'Size of rendered pages before compression.',
    unit: 'bytes',
    labels: [],
    buckets: [1e3, 1e4, 1e5, 1e6, 1e7, 1e8],
    known: [{}],
  },

  pushes: {
    type: 'counter',
    help: 'Pushes by outcome; accepted ones are on disk.',
    labels: ['result'],
    known: each('result', ['accepted', 'refused']),
  },
  'pushes.refused': {
    type: 'counter',
    help: 'Refused pushes by reason.',
    labels: ['reason'],
    known: each('reason', refusals),
  },
  'samples.received': { type: 'counter', help: 'Samples of accepted pushes.' },
  'samples.unrouted': {
    type: 'counter',
    help: 'Samples for all customers that went nowhere: they name no endpoint, or none that is there, or their project is over samples_per_second.',
    labels: ['reason'],
    known: each('reason', unroutedReasons),
  },
  'statsd.values': { type: 'counter', help: 'Values of StatsD lines that are stored.' },
  'statsd.refused': {
    type: 'counter',
    help: 'Lines of StatsD, or values on them, that are not stored: malformed (too_long to encoding), an event or service check, another type than the name has (conflict), no room until the next flush (full), a limit of the project or the endpoint (refused; series), a disk that takes nothing (unavailable).',
    labels: ['reason'],
    known: each('reason', statsdRefusals),
  },
  'bodies.held': {
    type: 'gauge',
    help: 'Memory that bodies of pushes hold which came and are not read yet; web.body_memory bounds it.',
    unit: 'bytes',
  },
  'groups.expired': { type: 'counter', help: 'Push groups that ended their lifetime.' },
  series: { type: 'gauge', help: 'Living series of all projects.' },
  'series.limit_used': {
    type: 'gauge',
    help: 'Share of its series limit that the fullest project uses; 1 is full.',
    unit: 'ratio',
  },
  'project.series': {
    type: 'gauge',
    help: 'Living series of a project; only with telemetry.metrics.project_label.',
    labels: ['project'],
  },
  'project.series_limit': {
    type: 'gauge',
    help: 'Series limit of a project that has one; only with telemetry.metrics.project_label.',
    labels: ['project'],
  },

  'usage.scrapes': { type: 'counter', help: ofEach('Pages served'), labels: ['project'] },
  'usage.served': {
    type: 'counter',
    help: ofEach('Bytes of these pages, as they were sent'),
    unit: 'bytes',
    labels: ['project'],
  },
  'usage.samples': { type: 'counter', help: ofEach('Samples taken in'), labels: ['project'] },
  'usage.points_streamed': { type: 'counter', help: ofEach('Points streamed'), labels: ['project'] },
  'usage.tokens': { type: 'counter', help: ofEach('Access tokens issued'), labels: ['project'] },

  streams: {
    type: 'gauge',
    help: 'Metric streams that are enabled, by the type of their destination.',
    labels: ['type'],
    known: each('type', destinationTypes),
  },
  'stream.lag': {
    type: 'gauge',
    help: 'How long the oldest window has waited to be sent.',
    unit: 'seconds',
    labels: ['type'],
    known: each('type', destinationTypes),
  },
  'stream.attempts': {
    type: 'counter',
    help: 'Requests to destinations, by outcome.',
    labels: ['type', 'result'],
    known: destinationTypes.flatMap((type) => attemptResults.map((result) => ({ type, result }))),
  },
  'stream.points': {
    type: 'counter',
    help: 'Points that destinations have taken.',
    labels: ['type'],
    known: each('type', destinationTypes),
  },
  'stream.windows_dropped': {
    type: 'counter',
    help: 'Windows that were given up because they were too old, or too many.',
    labels: ['type'],
    known: each('type', destinationTypes),
  },

  sources: {
    type: 'gauge',
    help: 'Sources that are enabled; failing: their last series are served, dead: none are.',
    labels: ['type', 'state'],
    known: sourceTypes.flatMap((type) => sourceStates.map((state) => ({ type, state }))),
  },
  'source.pulls': {
    type: 'counter',
    help: 'Times that sources were asked, by what came of it; refused: what came could not be taken.',
    labels: ['type', 'result'],
    known: sourceTypes.flatMap((type) => pullResults[type].map((result) => ({ type, result }))),
  },
  'source.age': {
    type: 'gauge',
    help: 'How long ago the source that has failed longest gave something.',
    unit: 'seconds',
    labels: ['type'],
    known: each('type', sourceTypes),
  },
  'source.guard_trips': {
    type: 'counter',
    help: 'Answers of a TSDB with a series that the matchers exclude: nothing of them was served.',
    labels: ['type'],
    known: each('type', ['promql']),
  },

  'storage.commit': {
    type: 'timing',
    help: 'Time to write and sync a commit of pushes.',
    labels: [],
    buckets: workBuckets,
    known: [{}],
  },
  'storage.writes': { type: 'counter', help: 'Writes to push groups; several may share a commit.' },
  'storage.wal': { type: 'gauge', help: 'Size of the write-ahead log.', unit: 'bytes' },
  'event_loop.delay': {
    type: 'gauge',
    help: 'How late the event loop was, within ten seconds or more: half of the time at most p50, and so on.',
    unit: 'seconds',
    labels: ['stat'],
    known: each('stat', ['p50', 'p99', 'max']),
  },
});
