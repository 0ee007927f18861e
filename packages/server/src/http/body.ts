/** Reads a request body from the socket, no more of it than allowed. */
import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../contract/errors.ts';
import { SlotList, type Slotted } from '../core/slot-list.ts';

/** A body that takes longer is one nobody will finish. */
const patienceMs = 60_000;
const sweepMs = 2_000;

interface Reading extends Slotted {
  readonly since: number;
  readonly stop: (error: GatewayError) => void;
}

/** Bodies being read. Looked through now and then: a timer for each would cost more than most of them take to read. */
const unfinished = new SlotList<Reading>();
let sweeper: NodeJS.Timeout | null = null;

function sweep(): void {
  const latest = performance.now() - patienceMs;
  for (const { since, stop } of unfinished.values())
    if (since < latest) stop(new GatewayError('bad_request', 'The request body took too long.'));
  if (unfinished.size > 0 || sweeper === null) return;
  clearInterval(sweeper);
  sweeper = null;
}

/** Throws body_too_large before the whole body was read, and unsupported_media_type for what is not JSON. */
export function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const { headers } = incoming;
  const type = headers['content-type'];
  if (type !== undefined && !/^(application\/json|[^;]*\+json)\s*(;|$)/i.test(type)) {
    return Promise.reject(new GatewayError('unsupported_media_type'));
  }
  if (type !== undefined && /charset\s*=/i.test(type) && !/charset\s*=\s*"?utf-?8/i.test(type)) {
    return Promise.reject(new GatewayError('unsupported_media_type', 'Send the body as UTF-8.'));
  }
  return readBytes(incoming, maxBytes);
}

/** The same for a body of any media type. Throws body_too_large, and unsupported_media_type for a compressed one. */
export function readBytes(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const { headers } = incoming;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(
      new GatewayError('unsupported_media_type', 'Compressed request bodies are not accepted.'),
    );
  }
  const tooLarge = (): GatewayError =>
    new GatewayError('body_too_large', `The request body is larger than ${maxBytes} bytes.`);
  if (Number(headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (error: GatewayError): void => {
      unfinished.remove(reading);
      chunks.length = 0;
      incoming.off('data', take).pause();
      reject(error);
    };
    const reading: Reading = { slot: 0, since: performance.now(), stop };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else stop(tooLarge());
    };
    unfinished.add(reading);
    sweeper ??= setInterval(sweep, sweepMs).unref();
    incoming.on('data', take);
    incoming.on('end', () => {
      unfinished.remove(reading);
      const first = chunks[0];
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size));
    });
    incoming.on('error', () => {
      unfinished.remove(reading);
      reject(new GatewayError('bad_request', 'The request body was cut off.'));
    });
  });
}
