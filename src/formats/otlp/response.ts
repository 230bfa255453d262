/** What is answered to an export: in the encoding of the request. */
export type OtlpEncoding = 'protobuf' | 'json';

export const otlpTypes: Record<OtlpEncoding, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** `ExportMetricsServiceResponse`, with `partial_success` where something was refused. */
export function exportResponse(encoding: OtlpEncoding, rejected: number, message: string): Buffer {
  if (rejected === 0 && message === '') return Buffer.from(encoding === 'json' ? '{}' : '');
  if (encoding === 'json') {
    const partialSuccess = { rejectedDataPoints: String(rejected), errorMessage: message };
    return Buffer.from(JSON.stringify({ partialSuccess }));
  }
  const partial = Buffer.concat([Buffer.from([0x08]), varint(rejected), text(0x12, message)]);
  return Buffer.concat([Buffer.from([0x0a]), varint(partial.length), partial]);
}

/** `google.rpc.Status`. */
export function statusResponse(encoding: OtlpEncoding, code: number, message: string): Buffer {
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  return Buffer.concat([Buffer.from([0x08]), varint(code), text(0x12, message)]);
}

function text(tag: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push((left % 128) + (left >= 128 ? 128 : 0));
    if (left < 128) return Buffer.from(bytes);
  }
}
