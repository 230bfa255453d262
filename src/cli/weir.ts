#!/usr/bin/env node
import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import { OperatorError, WeirError } from '../domain/errors.js';
import { accessLogCommand } from './access-log.js';
import { auditCommand } from './audit.js';
import { banCommand } from './ban.js';
import { checkCommand } from './check.js';
import { clientCommand } from './client.js';
import { dbCommand } from './db.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { encryptionCommand } from './encryption.js';
import { endpointCommand } from './endpoint.js';
import { keyCommand } from './key.js';
import { projectCommand } from './project.js';
import { serveCommand } from './serve.js';
import { snippetCommand } from './snippet.js';
import { sourceCommand } from './source.js';
import { streamCommand } from './stream.js';
import { tokenCommand } from './token.js';
import { usageCommand } from './usage.js';
import { buildInfo } from './version.js';

const { version, revision } = buildInfo();
const program = new Command('weir')
  .description('An OAuth2-secured metrics gateway: a metrics endpoint for each of your customers.')
  .version(`weir ${version} (revision ${revision}, node ${process.versions.node})`, '--version')
  .showHelpAfterError('(--help shows what there is)');
for (const command of [
  serveCommand(),
  demoCommand(),
  projectCommand(),
  endpointCommand(),
  clientCommand(),
  sourceCommand(),
  streamCommand(),
  tokenCommand(),
  snippetCommand(),
  keyCommand(),
  encryptionCommand(),
  usageCommand(),
  accessLogCommand(),
  auditCommand(),
  banCommand(),
  checkCommand(),
  doctorCommand(),
  dbCommand(),
]) {
  program.addCommand(command);
}
tab(program, { completionCommandName: 'completion' });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof OperatorError || error instanceof WeirError)) throw error;
  for (const line of error.message.split('\n')) process.stderr.write(`weir: ${line}\n`);
  process.exitCode = 1;
}
