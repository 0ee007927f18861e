/** Request ids: unique, unguessable enough, and rising with time. */
import { randomUUID } from 'node:crypto';

/**
 * A version 4 UUID whose first 48 bits are the milliseconds of its making and whose other 74 are random. Rows written
 * together so stand together in the store's indexes, which random ids would scatter over all of their pages.
 */
export function createRequestId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-${randomUUID().slice(14)}`;
}
