/** Reads a request body from the socket, no more of it than allowed. */
import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../contract/errors.ts';
import { beginReading, endReading } from './pace.ts';

/** A body that takes longer is one nobody will finish. */
const patienceMs = 60_000;

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
    const stop = (error: GatewayError): void => {
      endReading(reading);
      chunks.length = 0;
      incoming.off('data', take).pause();
      reject(error);
    };
    const reading = beginReading(patienceMs, stop);
    const take = (chunk: Buffer): void => {
      reading.bytes += chunk.length;
      if (reading.bytes <= maxBytes) chunks.push(chunk);
      else stop(tooLarge());
    };
    incoming.on('data', take);
    incoming.on('end', () => {
      endReading(reading);
      const first = chunks[0];
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, reading.bytes));
    });
    incoming.on('error', () => {
      endReading(reading);
      reject(new GatewayError('bad_request', 'The request body was cut off.'));
    });
  });
}
