import type { Envelope } from '../auth/envelope.js';
import type { SourceSecrets } from '../domain/source.js';

/** What the secrets of a source are bound to in the database. */
export const sourceSecretsPlace = (sourceId: string) => ({ table: 'source', column: 'secrets', row: sourceId });

export const sealSourceSecrets = (envelope: Envelope, sourceId: string, secrets: SourceSecrets): Buffer =>
  envelope.seal(Buffer.from(JSON.stringify(secrets)), sourceSecretsPlace(sourceId));

/** Throws `OperatorError` when the keys are not those of this database. */
export const openSourceSecrets = (envelope: Envelope, sourceId: string, sealed: Buffer): SourceSecrets =>
  JSON.parse(envelope.open(sealed, sourceSecretsPlace(sourceId)).toString()) as SourceSecrets;
