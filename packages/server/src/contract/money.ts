/** US dollars as people write them and nano-dollars as the ledger counts them. Exact both ways; no float in between. */
import { badField } from './errors.ts';

/** One US dollar in nano-USD. */
const nanoPerUsd = 1_000_000_000n;

const amount = /^(-?)(\d{1,9})(?:\.(\d{1,9}))?$/;

/** "5.00" → 5_000_000_000n. At most nine places on either side; throws a 400 naming `param` otherwise. */
export function parseUsd(text: string, param = 'amount'): bigint {
  const match = amount.exec(text);
  if (match === null) throw badField(param, `Invalid value for '${param}': is not an amount like "5.00"`);
  const [, sign, whole = '0', fraction = ''] = match;
  const nano = BigInt(whole) * nanoPerUsd + BigInt(fraction.padEnd(9, '0'));
  return sign === '-' ? -nano : nano;
}

/** 5_000_000_000n → "5.00": at least two places, more only where they are not zero. */
export function formatUsd(nano: bigint): string {
  const positive = nano < 0n ? -nano : nano;
  const fraction = (positive % nanoPerUsd)
    .toString()
    .padStart(9, '0')
    .replace(/0{1,7}$/, '');
  return `${nano < 0n ? '-' : ''}${positive / nanoPerUsd}.${fraction}`;
}
