import { setTimeout } from 'node:timers/promises';

// Loaded into the gateway whose memory is measured: what is garbage must not be counted as held.
process.on('SIGUSR2', async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc!();
    await setTimeout(200);
  }
  process.stderr.write('garbage collected\n');
});
