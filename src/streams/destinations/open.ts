import type { DestinationType } from '../../domain/stream.js';
import { openDatadog } from './datadog.js';
import type { OpenDestination, Reach, Target } from './destination.js';
import { openDogstatsd } from './dogstatsd.js';
import { openOtlp } from './otlp.js';
import { openRemoteWrite } from './remote-write.js';

/** What a destination of each type is opened with. */
const openers: Record<DestinationType, (target: Target, reach: Reach) => OpenDestination> = {
  datadog: openDatadog,
  otlp: openOtlp,
  prometheus_remote_write: openRemoteWrite,
  dogstatsd: openDogstatsd,
};

export const openDestination = (target: Target, reach: Reach): OpenDestination =>
  openers[target.destination.type](target, reach);
