import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Programs } from '../support/programs.js';

const programs = new Programs();
const bin = join(programs.folder, 'bin');
const env = { PATH: `${bin}${delimiter}${process.env.PATH}` };
afterAll(() => programs.end());

/** The scripts call the program by its name. */
beforeAll(() => {
  mkdirSync(bin);
  const program = `#!/bin/sh\nexec "${process.execPath}" "${inject('weir')}" "$@"\n`;
  writeFileSync(join(bin, 'weir'), program, { mode: 0o755 });
});

/** What bash offers after `line`, by the function that the script registers for the program. */
const inBash = (line: string): string => `
source /usr/share/bash-completion/bash_completion
# Only within a completion is there one to set options of.
compopt() { :; }
source <(weir completion bash)
COMP_LINE=${JSON.stringify(line)} COMP_POINT=${line.length}
read -ra COMP_WORDS <<< "$COMP_LINE"
[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
$(complete -p weir | sed -E 's/.*-F ([^ ]+).*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"
`;

const cases = [
  ['weir client cr', ['create']],
  ['weir key rotate --alg ', ['ES256', 'EdDSA', 'RS256']],
  ['weir endpoint ', ['create', 'list']],
] as const;

it.each(cases)('bash completes "%s"', async (line, offered) => {
  const { stdout, stderr, status } = await programs.run('bash', ['-c', inBash(line)], { env });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout.split(/\s+/)).toEqual(expect.arrayContaining([...offered]));
});

it.each(cases)('fish completes "%s"', async (line, offered) => {
  const script = `weir completion fish | source; complete --do-complete ${JSON.stringify(line)}`;
  const { stdout, status } = await programs.run('fish', ['--no-config', '-c', script], { env });
  expect(status).toBe(0);
  const words = stdout.split('\n').map((each) => each.split('\t')[0]);
  expect(words).toEqual(expect.arrayContaining([...offered]));
});

it('zsh reads its script', async () => {
  const script = 'autoload -Uz compinit; compinit -D -u; source <(weir completion zsh); print -r -- $_comps[weir]';
  const { stdout, stderr, status } = await programs.run('zsh', ['-f', '-c', script], { env });
  expect([status, stderr, stdout.trim()]).toEqual([0, '', '_weir']);
});
