/** An answer as it is kept for a repeat under the same Idempotency-Key: text as it is, bytes in base64. */
import type { StoredResponse } from '../storage/storage.ts';
import type { Reply } from './call-types.ts';

const inBase64 = '; kept=base64';
/** Larger answers are not kept: a repeat is told that the outcome is not known here any more. */
const maxKeptBytes = 32 * 1024 * 1024;

export function keep(reply: Reply): StoredResponse | null {
  const { status, body } = reply;
  const type = reply.headers['content-type'] ?? 'application/json';
  if (body.length > maxKeptBytes) return null;
  if (typeof body === 'string') return { status, contentType: type, body };
  if (type.startsWith('application/json')) return { status, contentType: type, body: body.toString() };
  return { status, contentType: type + inBase64, body: body.toString('base64') };
}

export function replayed(id: string, { status, contentType, body }: StoredResponse): Reply {
  const isEncoded = contentType.endsWith(inBase64);
  return {
    status,
    headers: {
      'content-type': isEncoded ? contentType.slice(0, -inBase64.length) : contentType,
      'x-request-id': id,
      'idempotent-replayed': 'true',
    },
    body: isEncoded ? Buffer.from(body, 'base64') : body,
  };
}
