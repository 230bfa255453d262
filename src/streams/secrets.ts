import type { Envelope } from '../auth/envelope.js';
import type { DestinationSecrets } from '../domain/stream.js';

/** What the secrets of a stream are bound to in the database. */
const placeOf = (streamId: string) => ({ table: 'metric_stream', column: 'secrets', row: streamId });

export const sealSecrets = (envelope: Envelope, streamId: string, secrets: DestinationSecrets): Buffer =>
  envelope.seal(Buffer.from(JSON.stringify(secrets)), placeOf(streamId));

/** Throws `OperatorError` when the keys are not those of this database. */
export const openSecrets = (envelope: Envelope, streamId: string, sealed: Buffer): DestinationSecrets =>
  JSON.parse(envelope.open(sealed, placeOf(streamId)).toString()) as DestinationSecrets;
