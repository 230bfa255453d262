/** The value of an attribute as a label holds it: text as it is, of whole numbers every digit, lists and maps as JSON. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : asJson(value);
}

/** What JSON has no numbers for is text there, as in the JSON of protobuf. */
function asJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  return Array.isArray(value) ? `[${value.map(asJson).join(',')}]` : JSON.stringify(value);
}
