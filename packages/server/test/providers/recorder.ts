/**
 * A local HTTP server that records every request and gives one scripted answer, whole or in chunks split where it
 * hurts. Vendor SDKs and our codecs are both pointed at it, so that what they send and read can be compared.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';

export interface RecordedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as text; '' when there was none. */
  readonly body: string;
  readonly bytes: Buffer;
}

export interface Script {
  /** Default 200. */
  readonly status?: number;
  /** Default `content-type: application/json`, or `text/event-stream` with `chunks`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent at once; anything but a string or bytes is sent as JSON. */
  readonly body?: unknown;
  /** Sent one write each, a turn of the event loop apart; excludes `body`. */
  readonly chunks?: readonly (string | Buffer)[];
}

export interface Recorder {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** In order of arrival. */
  readonly requests: RecordedRequest[];
  /** Changes what later requests get: always the same, or what is made of each. */
  answer(script: Script | ((request: RecordedRequest) => Script)): void;
  close(): Promise<void>;
}

export async function startRecorder(first: Script): Promise<Recorder> {
  const requests: RecordedRequest[] = [];
  let script: Script | ((request: RecordedRequest) => Script) = first;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    const { method = '', url: path = '' } = request;
    const seen = { method, path, headers: request.headers, body: bytes.toString('utf8'), bytes };
    requests.push(seen);
    const scripted = typeof script === 'function' ? script(seen) : script;
    const { status = 200, headers, body, chunks } = scripted;
    const type = chunks === undefined ? 'application/json' : 'text/event-stream';
    response.writeHead(status, { 'content-type': type, ...headers });
    if (chunks === undefined) {
      response.end(
        typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body ?? {}),
      );
      return;
    }
    for (const chunk of chunks) {
      response.write(chunk);
      await setImmediate();
    }
    response.end();
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The recorder has no port.');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    requests,
    answer(next) {
      script = next;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The bytes in pieces of `size`, so that lines, CRLFs and characters are cut in the middle. */
export function splitBytes(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text, 'utf8');
  const pieces: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += size) pieces.push(bytes.subarray(start, start + size));
  return pieces;
}
