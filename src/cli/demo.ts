import { Command } from 'commander';

export function demoCommand(): Command {
  return new Command('demo').description('Run the gateway with a simulated project, to look around.');
}
