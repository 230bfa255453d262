import type { Envelope } from '../auth/envelope.js';
import type { DestinationSecrets } from '../domain/stream.js';

/** What the secrets of a stream are bound to in the database. */
export const secretsPlace = (streamId: string) => ({ table: 'metric_stream', column: 'secrets', row: streamId });

export const sealSecrets = (envelope: Envelope, streamId: string, secrets: DestinationSecrets): Buffer =>
  envelope.seal(Buffer.from(JSON.stringify(secrets)), secretsPlace(streamId));

/** Throws `OperatorError` when the keys are not those of this database. */
export const openSecrets = (envelope: Envelope, streamId: string, sealed: Buffer): DestinationSecrets =>
  JSON.parse(envelope.open(sealed, secretsPlace(streamId)).toString()) as DestinationSecrets;
