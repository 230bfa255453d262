import { afterEach, describe, expect, test, vi } from 'vitest';
import { demoCommand } from '../../src/cli/demo.js';
import type { DemoFolder } from '../../src/demo/folder.js';
import { type DemoOptions, planDemo } from '../../src/demo/plan.js';

const folder = { file: (name: string) => `/somewhere/${name}` } as DemoFolder;
const refusal = (options: DemoOptions): string => {
  try {
    planDemo(options);
  } catch (error) {
    return (error as Error).message;
  }
  return 'not refused';
};

afterEach(() => vi.unstubAllEnvs());

describe('listen addresses', () => {
  test('are those of weir serve unless others are given', () => {
    const { web, operator } = planDemo({}).config(folder);
    expect([web.listenAddress, operator.listenAddress]).toEqual(['127.0.0.1:8460', '127.0.0.1:9460']);
  });

  test.each(['127.0.0.1:0', '127.9.8.7:80', 'localhost:0', '[::1]:0', '[0:0:0:0:0:0:0:1]:0'])(
    '%s is of this machine alone',
    (address) => {
      const plan = planDemo({ 'web.listenAddress': address, 'operator.listenAddress': address });
      expect(plan.config(folder).web.listenAddress).toBe(address);
      expect(plan.config(folder).operator.listenAddress).toBe(address);
    },
  );

  test.each([':0', '0.0.0.0:0', '[::]:0', '128.0.0.1:0', '192.168.1.5:80', '[fe80::1]:80', 'localhost.example.com:80'])(
    '%s is refused for either listener unless remote ones are allowed',
    (address) => {
      const web = { 'web.listenAddress': address };
      const operator = { 'operator.listenAddress': address };
      expect(refusal(web)).toMatch(/^--web\.listen-address \S+ can be reached from other machines.*--allow-remote/);
      expect(refusal(operator)).toMatch(/^--operator\.listen-address \S+ can be reached .*--allow-remote/);
      expect(refusal({ ...web, ...operator }).split('\n')).toHaveLength(2);
      expect(planDemo({ ...web, allowRemote: true }).config(folder).web.listenAddress).toBe(address);
    },
  );
});

describe('a Prometheus beside it', () => {
  test.each([
    [{}, undefined],
    [{ prometheus: true }, '127.0.0.1:9090'],
    [{ prometheus: '[::1]:9091' }, '[::1]:9091'],
  ] as const)('%j listens on %s', (options, address) => {
    expect(planDemo(options).prometheusAddress).toBe(address);
  });

  test.each(['0.0.0.0:9090', ':9090', '9090', 'example.com:9090'])(
    '%s is refused: it has no authentication',
    (where) => {
      expect(refusal({ prometheus: where })).toMatch(/^--prometheus \S+: write an address of this machine/);
    },
  );
});

describe('a refusal', () => {
  test('names all that is wrong at once, by flag', () => {
    const options = { 'web.listenAddress': ':80', 'operator.listenAddress': '9.9.9.9:80', interval: '1h' };
    expect(refusal(options).split('\n')).toEqual([
      expect.stringMatching(/^--web\.listen-address :80 /),
      expect.stringMatching(/^--operator\.listen-address 9\.9\.9\.9:80 /),
      '--interval 1h: write a duration from 1s to 2m, such as 10s.',
    ]);
    expect(refusal({ 'web.listenAddress': 'here', 'log.level': 'loud', interval: 'often' }).split('\n')).toEqual([
      expect.stringMatching(/^--web\.listen-address: "here" is not a listen address/),
      expect.stringMatching(/^--log\.level: /),
      expect.stringMatching(/^--interval often: /),
    ]);
  });

  test.each(['0', '999ms', '121s', '', '10'])('is the answer to the interval %j', (interval) => {
    expect(refusal({ interval })).toMatch(/^--interval /);
  });

  test('comes from the command before anything is started', async () => {
    const refused = demoCommand().parseAsync(['--web.listen-address', ':0', '--interval=0'], { from: 'user' });
    await expect(refused).rejects.toThrow(/^--web.listen-address :0 .*\n--interval 0: /);
  });
});

describe('the plan', () => {
  test('takes flags as they are written', () => {
    const plan = planDemo({ interval: '1m30s', tls: true, 'log.level': 'debug' });
    expect(plan).toMatchObject({ everyMs: 90_000, tls: true, dir: undefined, keep: false });
    expect(plan.config(folder, '/somewhere/web.yml')).toMatchObject({
      web: { configFile: '/somewhere/web.yml' },
      log: { level: 'debug', format: 'pretty' },
    });
  });

  test('pushes every 10 s and logs what is amiss, unless told otherwise', () => {
    expect(planDemo({}).everyMs).toBe(10_000);
    expect(planDemo({}).config(folder).log.level).toBe('warn');
  });

  test('keeps a folder that was named, or is to be kept', () => {
    expect(planDemo({ dir: 'x' })).toMatchObject({ dir: 'x', keep: true });
    expect(planDemo({ keep: true })).toMatchObject({ dir: undefined, keep: true });
  });

  test('never comes near the data of another gateway, whatever the environment says', () => {
    for (const [name, value] of Object.entries({
      WEIR_STORAGE_PATH: '/production/weir.db',
      WEIR_SECRET_PEPPER_FILE: '/production/pepper',
      WEIR_ENCRYPTION_KEYS_FILE: '/production/keys',
      WEIR_CONFIG_FILE: '/production/weir.yml',
      WEIR_WEB_LISTEN_ADDRESS: '0.0.0.0:80',
      WEIR_WEB_CONFIG_FILE: '/production/web.yml',
      WEIR_WEB_EXTERNAL_URL: 'https://production.example',
    })) {
      vi.stubEnv(name, value);
    }
    expect(planDemo({}).config(folder)).toMatchObject({
      web: { listenAddress: '127.0.0.1:8460', configFile: undefined, externalUrl: undefined },
      storage: { path: '/somewhere/weir.db' },
      secrets: { pepperFile: '/somewhere/weir.db.pepper', encryptionKeysFile: '/somewhere/weir.db.keys' },
    });
  });
});

describe('the help', () => {
  test('names every flag with its default, and no variable as if it were read', () => {
    let help = '';
    demoCommand()
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    const flat = help.replace(/\s+/g, ' ');
    for (const said of [
      'Default 127.0.0.1:8460.',
      'Default 127.0.0.1:9460.',
      '--allow-remote',
      '--tls',
      'Default 10s.',
      '--dir <folder>',
      '--keep',
      'Default warn.',
      'npm run demo -- --tls',
      'none of the WEIR_* variables',
    ]) {
      expect(flat).toContain(said);
    }
    expect(help).not.toMatch(/WEIR_[A-Z]/);
  });
});
