import { atOnce } from '../../src/domain/turns.js';
import { convertSteps } from '../../src/formats/otlp/convert.js';
import { otlpProtobufSteps } from '../../src/formats/otlp/protobuf.js';
import { SeriesBatch } from '../../src/formats/series-batch.js';
import { bombs } from './otlp-bombs.js';

/** A process of little memory that reads the bombs, and says what became of each. */
const options = { strategy: 'UnderscoreEscapingWithSuffixes', promoted: [], ours: '', now: 1 } as const;
for (const [body] of bombs) {
  const bytes = body();
  try {
    const { reason } = atOnce(convertSteps((sink) => otlpProtobufSteps(bytes, sink), new SeriesBatch(), options));
    console.log(reason ?? 'taken');
  } catch (error) {
    console.log((error as Error).message);
  }
}
