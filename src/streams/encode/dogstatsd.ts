import { isCumulative, type Labels, type Window } from '../window.js';

/** Datagrams of whole lines, `maxBytes` each at most; a longer line stands alone. */
export function* dogstatsdPackets(window: Window, maxBytes: number): Generator<Buffer> {
  let packet = '';
  let size = 0;
  for (const line of lines(window)) {
    const bytes = Buffer.byteLength(line);
    if (size + bytes + 1 > maxBytes && packet !== '') {
      yield Buffer.from(packet);
      packet = '';
      size = 0;
    }
    packet += packet === '' ? line : `\n${line}`;
    size += bytes + 1;
  }
  if (packet !== '') yield Buffer.from(packet);
}

/** `name:value|type|#tags`: what only rises as `c` with what was added, everything else as `g`. */
function* lines({ metrics }: Window): Generator<string> {
  for (const { name: family, type, points } of metrics) {
    for (const { name, labels, value, delta } of points) {
      const rises = isCumulative(type, family, name);
      const said = rises ? delta : value;
      if (said === undefined || !Number.isFinite(said) || (rises && said === 0)) continue;
      yield `${name.replace(/[^A-Za-z0-9_.]/g, '_')}:${said}|${rises ? 'c' : 'g'}${tags(labels)}`;
    }
  }
}

function tags(labels: Labels): string {
  const given = labels.filter(([, value]) => value !== '');
  if (given.length === 0) return '';
  // The characters that end a tag, a line or a field.
  return `|#${given.map(([key, value]) => `${key}:${value.replace(/[,|\r\n]/g, '_')}`).join(',')}`;
}
