import { WeirError } from './errors.js';

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Prometheus' duration syntax (`30s`, `5m`, `1h30m`, `0`) to milliseconds. Throws `invalid` naming the text. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (!/^(\d+(ms|[smhdw]))+$/.test(text)) {
    throw new WeirError('invalid', `"${text}" is not a duration; write it like 30s, 5m or 1h30m (0 for none).`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdw])/g)) total += Number(amount) * unitMs[unit!]!;
  if (!Number.isSafeInteger(total)) throw new WeirError('invalid', `The duration "${text}" is too long.`);
  return total;
}

/** The shortest spelling in the same syntax: 300000 → `5m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const amount = Math.floor(rest / unitMs[unit]!);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * unitMs[unit]!;
  }
  return text;
}
