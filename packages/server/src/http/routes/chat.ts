/** Chat and text completion on both surfaces, and stopping a stream. Answers go to the raw outgoing message. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endpoints } from '../../contract/endpoints.ts';
import { GatewayError } from '../../contract/errors.ts';
import { serveCall } from '../../core/call.ts';
import type { Reply } from '../../core/call-types.ts';
import type { Gateway } from '../../core/gateway.ts';
import { decodeMaxCost } from '../../dialects/own-fields.ts';
import type { ChatDialect } from '../../dialects/dialect.ts';
import { nativeChat, nativeCompletion } from '../../dialects/native/chat.ts';
import { openaiChat, openaiCompletion } from '../../dialects/openai/chat.ts';
import { readBody } from '../body.ts';
import { callHeaders, clientRetries, errorHeaders, originOf, single } from '../headers.ts';
import { createRequestId } from '../request-id.ts';
import { authorise } from '../middleware/auth.ts';
import { RawClient } from '../raw-client.ts';
import { mount, RawRoutes, type App } from '../route.ts';

type Kind = 'chat' | 'completion';

/** How long the rest of a body nobody wants is read and thrown away, so that its sender can read the answer. */
const lingerMs = 500;
/** Bytes of an answer worth copying to save a write. */
const maxJoined = 65_536;

/** The error as this request's answer; a stream that has begun ends its own way and never comes here. */
export function sendError(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  body: string,
  status: number,
  headers: Record<string, string>,
): void {
  if (outgoing.headersSent || outgoing.destroyed) return;
  outgoing.writeHead(status, headers).end(body);
  if (incoming.complete) return;
  incoming.on('data', () => {}).resume();
  const cut = setTimeout(() => incoming.socket.destroy(), lingerMs);
  incoming.once('end', () => clearTimeout(cut)).once('close', () => clearTimeout(cut));
}

/** Head and body leave in one write: Node joins a string to its headers, a buffer it would send apart. */
export function sendReply(outgoing: ServerResponse, common: Record<string, string>, reply: Reply): void {
  const { body, status, headers } = reply;
  // A list goes into the head as it is; of an object Node asks for its keys first.
  const list: string[] = [];
  for (const name in common) if (!(name in headers)) list.push(name, common[name] ?? '');
  for (const name in headers) list.push(name, headers[name] ?? '');
  list.push('content-length', String(typeof body === 'string' ? Buffer.byteLength(body) : body.length));
  outgoing.writeHead(status, list);
  if (typeof body === 'string') outgoing.end(body);
  else if (body.length > maxJoined) outgoing.end(body);
  else outgoing.end(body.toString('latin1'), 'latin1');
}

/** One data-plane path of one dialect. */
interface Door {
  readonly route: string;
  readonly kind: Kind;
  readonly dialect: ChatDialect;
}

async function serve(
  gateway: Gateway,
  door: Door,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { route, kind, dialect } = door;
  const { headers } = incoming;
  const requestId = createRequestId();
  const startedAtMs = Date.now();
  const common = callHeaders(requestId, headers.origin);
  try {
    const credential = await authorise(gateway, headers.authorization, headers.cookie);
    const client = new RawClient(outgoing, common);
    const body = await readBody(incoming, gateway.settings.maxBodyBytes);
    const reply = await serveCall(gateway, {
      requestId,
      kind,
      route,
      dialect,
      body,
      credential,
      idempotencyKey: single(headers, 'idempotency-key', 255),
      maxCostNano: decodeMaxCost(single(headers, 'x-indoxhub-max-cost', 32), 'X-IndoxHub-Max-Cost'),
      client,
      origin: originOf(headers.host),
      startedAtMs,
      clientRetries: clientRetries(headers),
    });
    if (reply === null || client.gone) return;
    sendReply(outgoing, common, reply);
  } catch (cause) {
    const error = cause instanceof GatewayError ? cause : new GatewayError('internal', undefined, { cause });
    if (error.code === 'internal')
      gateway.log.error({ err: cause, request_id: requestId }, 'a call failed inside the gateway');
    const all = { ...common, ...errorHeaders(error, dialect.wire !== 'native') };
    sendError(incoming, outgoing, dialect.encodeError(error, requestId), error.status, all);
  }
}

/** The paths answered on the raw outgoing message. */
export function rawChatRoutes(gateway: Gateway): RawRoutes {
  const routes = new RawRoutes();
  const mountDoor = (endpoint: Parameters<RawRoutes['mount']>[0], kind: Kind, dialect: ChatDialect): void => {
    const door = { route: endpoint.path, kind, dialect };
    routes.mount(endpoint, (incoming, outgoing) => void serve(gateway, door, incoming, outgoing));
  };
  mountDoor(endpoints.chat, 'chat', nativeChat);
  mountDoor(endpoints.completion, 'completion', nativeCompletion);
  mountDoor(endpoints.openaiChat, 'chat', openaiChat);
  mountDoor(endpoints.openaiCompletion, 'completion', openaiCompletion);
  mountDoor(endpoints.rootChat, 'chat', openaiChat);
  mountDoor(endpoints.rootCompletion, 'completion', openaiCompletion);
  return routes;
}

export function stopRoutes(app: App, gateway: Gateway): void {
  for (const endpoint of [endpoints.stopCompletion, endpoints.stopChat]) {
    mount(app, gateway, endpoint, async (context) => {
      const id = context.req.param('id') ?? '';
      const { account } = context.get('credential');
      // A stranger's, an unknown and a finished stream look alike.
      // One of this process that is ending already is not asked for in the store, where its hold is still open.
      const success =
        gateway.streams.stop(account.id, id) ?? (await gateway.storage.requestStop(account.id, id));
      return context.json({ success });
    });
  }
}
