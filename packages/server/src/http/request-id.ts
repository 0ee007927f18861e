/** Request ids: unique, unguessable enough, and rising with time. */
import { randomFillSync } from 'node:crypto';

/** Random bytes for many ids: asking for those of one costs more than all the rest of it. */
const random = Buffer.allocUnsafeSlow(4096);
const bytesOfId = 10;
let used = random.length;

/** Of the last id: many are made in one millisecond. */
let madeAtMs = 0;
let prefix = '';

/**
 * A version 4 UUID whose first 48 bits are the milliseconds of its making and whose other 74 are random. Rows written
 * together so stand together in the store's indexes, which random ids would scatter over all of their pages.
 */
export function createRequestId(): string {
  const now = Date.now();
  if (now !== madeAtMs) {
    const time = now.toString(16).padStart(12, '0');
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-`;
    madeAtMs = now;
  }
  if (used + bytesOfId > random.length) {
    randomFillSync(random);
    used = 0;
  }
  // RFC 9562, version and variant.
  random[used] = ((random[used] ?? 0) & 0x0f) | 0x40;
  random[used + 2] = ((random[used + 2] ?? 0) & 0x3f) | 0x80;
  const hex = random.toString('hex', used, used + bytesOfId);
  used += bytesOfId;
  return `${prefix}${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8)}`;
}
