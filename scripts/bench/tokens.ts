import {
  alternate,
  type Bench,
  digits,
  type Effort,
  median,
  quotients,
  type Result,
  type Rounds,
  resultOf,
  say,
} from './harness.js';
import { LoadGenerator } from './load.js';
import { Pinned, serverCore } from './processes.js';
import { compiled, Weir } from './weir.js';

type Algorithm = 'ES256' | 'EdDSA';

interface Variant {
  readonly name: string;
  readonly ours: Algorithm;
  readonly theirs: Algorithm;
  readonly target?: number;
  /** In the place of the gateway, a server that only signs: the most that can be had from node:http. */
  readonly isFloor?: boolean;
}

const variants: readonly Variant[] = [
  { name: 'tokens-es256', ours: 'ES256', theirs: 'ES256', target: 2.5 },
  { name: 'tokens-eddsa', ours: 'EdDSA', theirs: 'EdDSA', target: 3 },
  { name: 'tokens-eddsa-es256', ours: 'EdDSA', theirs: 'ES256' },
  { name: 'tokens-floor-es256', ours: 'ES256', theirs: 'ES256', isFloor: true },
  { name: 'tokens-floor-eddsa', ours: 'EdDSA', theirs: 'EdDSA', isFloor: true },
];

const connections = 16;
const warmUpRequests = 15_000;
const form = 'application/x-www-form-urlencoded';
const body = 'grant_type=client_credentials';

/** Tokens per second of server CPU by client_credentials and Basic, against oidc-provider with everything in memory. */
export const tokensBench: Bench = async (effort) => {
  const results: Result[] = [];
  for (const variant of variants) {
    if (variant.target === undefined && !effort.extras) continue;
    say(`${variant.name}; tokens a CPU second`);
    const { subject, reference } = await (variant.isFloor ? measureFloor : measure)(variant, effort);
    results.push(resultOf(described(variant, subject, reference), quotients(subject, reference)));
    if (variant.name === 'tokens-es256') results.push(await secretShare(subject));
  }
  return results;
};

function described(
  { name, ours, theirs, target, isFloor }: Variant,
  subject: readonly number[],
  reference: readonly number[],
) {
  const whose = isFloor ? 'of a server that only signs' : 'JWT access tokens';
  const what = `${whose} a CPU second with ${ours}, against oidc-provider in memory with ${theirs}`;
  const detail = `${digits(median(subject))} against ${digits(median(reference))} tokens a CPU second`;
  return { name, what, better: 'higher' as const, detail, ...(target === undefined ? {} : { target }) };
}

/** A server, what it is asked, and by whom. */
interface Side {
  readonly server: Pinned;
  readonly url: string;
  readonly authorization: string;
  readonly alg: Algorithm;
}

const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

async function measure({ ours, theirs }: Variant, effort: Effort): Promise<Rounds> {
  const weir = await Weir.start();
  try {
    weir.command('project', 'create', 'Bench', '--id=bench');
    const scopes = ['--scope=read:metrics', '--scope=write:metrics'];
    const client = weir.command('client', 'create', 'bench', '--project=bench', ...scopes);
    if (ours !== 'ES256') weir.command('key', 'rotate', `--alg=${ours}`);
    const authorization = basic(client.client_id!, client.client_secret!);
    const side = { server: weir.process, url: `${weir.url}/oauth/token`, authorization, alg: ours };
    return await beside(side, theirs, effort);
  } finally {
    await weir.stop();
  }
}

async function measureFloor({ ours, theirs }: Variant, effort: Effort): Promise<Rounds> {
  const server = new Pinned(serverCore, process.execPath, [compiled('token-floor.js'), ours]);
  try {
    const url = await listening(server);
    return await beside({ server, url, authorization: basic('bench', 'none'), alg: ours }, theirs, effort);
  } finally {
    await server.stop();
  }
}

const listening = (server: Pinned): Promise<string> => server.wait((output) => /listening on (\S+)/.exec(output)?.[1]);

/** Tokens a CPU second of a server and of the reference, in turn. */
async function beside(subject: Side, theirs: Algorithm, effort: Effort): Promise<Rounds> {
  const provider = new Pinned(serverCore, process.execPath, [compiled('token-reference.js'), theirs]);
  const load = new LoadGenerator();
  const order = ({ url, authorization }: Side, seconds: number) => {
    const headers = { Authorization: authorization, 'Content-Type': form };
    return { kind: 'post' as const, body, urls: [url], headers, connections, seconds };
  };
  const rate = async (side: Side, seconds: number) =>
    1 / (await load.run(side.server, order(side, seconds))).cpuPerRequest;
  try {
    const reference: Side = {
      server: provider,
      url: `${await listening(provider)}/token`,
      authorization: basic('bench', 'weir_cs_0123456789012345678901234567890123456789012'),
      alg: theirs,
    };
    for (const side of [subject, reference]) {
      await signs(side.url, side.authorization, side.alg);
      // By their number, not by time: on a busy machine a second would leave code uncompiled.
      await load.run(side.server, { ...order(side, 60), requests: warmUpRequests });
    }
    return await alternate(
      effort,
      (seconds) => rate(subject, seconds),
      (seconds) => rate(reference, seconds),
    );
  } finally {
    await load.stop();
    await provider.stop();
  }
}

/** Both sides must do the same work: a signed `at+jwt` with this algorithm, good for 15 minutes. */
async function signs(url: string, authorization: string, alg: Algorithm): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url, { method: 'POST', headers: { authorization, 'content-type': form }, body });
    const text = await answer.text();
    const { access_token: token = '', expires_in: lifetime } = JSON.parse(text) as Record<string, string>;
    const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString() || '{}') as Record<
      string,
      string
    >;
    if (Number(lifetime) === 900 && header.alg === alg && header.typ === 'at+jwt') return;
    // The gateway takes up another key within a second.
    if (attempt === 20) throw new Error(`${url} gives no such token: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** How much of a token request is the check of the secret: its CPU alone, over that of the whole request. */
async function secretShare(tokensPerSecond: readonly number[]): Promise<Result> {
  const args = [compiled('secret-worker.js'), String(tokensPerSecond.length)];
  const output = await new Pinned(serverCore, process.execPath, args).finished(60);
  const checks = JSON.parse(output) as number[];
  return resultOf(
    {
      name: 'secret-check',
      what: 'CPU of checking a secret, against that of the whole token request with ES256',
      better: 'lower',
      target: 0.05,
      detail: `${digits(median(checks))} of ${digits(1e6 / median(tokensPerSecond))} µs`,
    },
    checks.map((check, i) => (check * tokensPerSecond[i]!) / 1e6),
  );
}
