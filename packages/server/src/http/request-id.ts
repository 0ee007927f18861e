/** Request ids: unique, unguessable enough, and rising with time. */
import { randomUUID } from 'node:crypto';

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
  return prefix + randomUUID().slice(14);
}
