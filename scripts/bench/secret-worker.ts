import { randomBytes } from 'node:crypto';
import { matchingSecret, SecretHasher } from '../../src/auth/secrets.js';
import { newClientSecret } from '../../src/domain/ids.js';

// Prints the microseconds of CPU it takes to find a right secret among two, in each of so many rounds.
const hasher = new SecretHasher(randomBytes(32));
const texts = [newClientSecret(randomBytes), newClientSecret(randomBytes)];
const secrets = texts.map((text) => hasher.newRecord('client', text, 0, randomBytes));
const checks = 20_000;

function microseconds(): number {
  const before = process.cpuUsage();
  for (let i = 0; i < checks; i++) {
    if (matchingSecret(secrets, hasher.mac(texts[i & 1]!), 1) === undefined)
      throw new Error('the right secret was not found');
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / checks;
}

microseconds();
const rounds = Number(process.argv[2]);
process.stdout.write(JSON.stringify(Array.from({ length: rounds }, microseconds)));
