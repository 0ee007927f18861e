/** The HTTP server round the application: what a hostile or broken peer may not do, and how long a slow one may take. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { encodeNativeError } from '../dialects/native/errors.ts';
import { encodeOpenaiError } from '../dialects/openai/errors.ts';
import { GatewayError } from '../contract/errors.ts';
import { commonHeaders, errorHeaders } from './headers.ts';
import { RawRoutes, type App } from './route.ts';

/** Node's parser lets these pass: two Hosts, a Host that is none, an absolute target, a GET with a body. */
function problemOf(incoming: IncomingMessage): string | null {
  const { headers, method, rawHeaders, url } = incoming;
  if (url === undefined || !url.startsWith('/')) return 'The request target must be a path.';
  if (headers.host === undefined || /[/?#@\s\\]/.test(headers.host)) return 'The Host header is not valid.';
  let hosts = 0;
  let authorizations = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name === undefined) continue;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
    else if (name.length === 13 && name.toLowerCase() === 'authorization') authorizations++;
  }
  if (hosts > 1) return 'The Host header came more than once.';
  if (authorizations > 1) return 'The Authorization header came more than once.';
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if ((method === 'GET' || method === 'HEAD') && hasBody) return `A ${method} request must have no body.`;
  return null;
}

/** Answers in the shape of the prefix and ends the connection: what follows on it is not to be trusted. */
function refuse(
  { url = '' }: IncomingMessage,
  outgoing: ServerResponse,
  status: 400 | 417,
  why: string,
): void {
  const error = new GatewayError('bad_request', why);
  const requestId = randomUUID();
  const isOpenai = url.startsWith('/v1/');
  const headers = { ...commonHeaders(url, requestId), ...errorHeaders(error, isOpenai), connection: 'close' };
  const body = isOpenai ? encodeOpenaiError(error) : encodeNativeError(error, requestId);
  outgoing.writeHead(status, headers).end(body);
}

/** Not yet listening. */
export function createHttpServer(app: App, raw: RawRoutes = new RawRoutes()): Server {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  /** A request was refused on these: what is behind it may already have been read, and is not served. */
  const distrusted = new WeakSet<Socket>();
  const server = createServer(
    {
      headersTimeout: 10_000,
      // Bodies have limits of their own: a minute for JSON, no pause of half a minute in an upload, no crawl (pace.ts).
      requestTimeout: 3_600_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 16_384,
      noDelay: true,
      // Refused below, as everything else is.
      requireHostHeader: false,
    },
    (incoming, outgoing) => {
      if (distrusted.has(incoming.socket)) return;
      const problem = problemOf(incoming);
      if (problem !== null) {
        distrusted.add(incoming.socket);
        return refuse(incoming, outgoing, 400, problem);
      }
      const handler = raw.find(incoming.method, incoming.url ?? '');
      if (handler === null) void listener(incoming, outgoing);
      else handler(incoming, outgoing);
    },
  );
  // Node's own answer would leave the connection open.
  server.on('checkExpectation', (incoming, outgoing) => {
    distrusted.add(incoming.socket);
    refuse(incoming, outgoing, 417, 'The Expect header names something this server does not do.');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
  // An upgrade is not offered; without a listener Node would leave such sockets open.
  server.on('upgrade', (_, socket) =>
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  );
  return server;
}
