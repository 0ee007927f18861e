/** Chat and text completion on both surfaces, and stopping a stream. Answers go to the raw outgoing message. */
import { randomUUID } from 'node:crypto';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { endpoints, type Endpoint } from '../../contract/endpoints.ts';
import { GatewayError } from '../../contract/errors.ts';
import { serveCall } from '../../core/call.ts';
import type { Gateway } from '../../core/gateway.ts';
import { decodeMaxCost } from '../../dialects/decode-chat.ts';
import type { ChatDialect } from '../../dialects/dialect.ts';
import { nativeChat, nativeCompletion } from '../../dialects/native/chat.ts';
import { openaiChat, openaiCompletion } from '../../dialects/openai/chat.ts';
import { readBody } from '../body.ts';
import { commonHeaders, errorHeaders, single } from '../headers.ts';
import { authorise } from '../middleware/auth.ts';
import { RawClient } from '../raw-client.ts';
import { mount, mountRaw, type App, type AppContext } from '../route.ts';

type Kind = 'chat' | 'completion';

/** The error as this request's answer; a stream that has begun ends its own way and never comes here. */
function sendError(
  context: AppContext,
  gateway: Gateway,
  dialect: ChatDialect,
  requestId: string,
  cause: unknown,
): void {
  const { incoming, outgoing } = context.env;
  const error = cause instanceof GatewayError ? cause : new GatewayError('internal', undefined, { cause });
  if (error.code === 'internal')
    gateway.log.error({ err: cause, request_id: requestId }, 'a call failed inside the gateway');
  if (outgoing.headersSent || outgoing.destroyed) return;
  const headers = {
    ...commonHeaders(context.req.path, requestId),
    ...errorHeaders(error, dialect.wire !== 'native'),
    // The rest of an unread body must not be taken for the next request.
    ...(incoming.complete ? {} : { connection: 'close' }),
  };
  outgoing.writeHead(error.status, headers).end(dialect.encodeError(error, requestId));
}

async function serve(
  context: AppContext,
  gateway: Gateway,
  kind: Kind,
  dialect: ChatDialect,
  route: string,
): Promise<void> {
  const { incoming, outgoing } = context.env;
  const requestId = randomUUID();
  const startedAtMs = Date.now();
  try {
    const { headers } = incoming;
    const common = commonHeaders(route, requestId);
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
      startedAtMs,
    });
    if (reply === null || client.gone) return;
    outgoing.writeHead(reply.status, {
      ...common,
      ...reply.headers,
      'content-length': String(Buffer.byteLength(reply.body)),
    });
    outgoing.end(reply.body);
  } catch (error) {
    sendError(context, gateway, dialect, requestId, error);
  }
}

export function chatRoutes(app: App, gateway: Gateway): void {
  const call = (endpoint: Endpoint & { readonly auth: 'key' }, kind: Kind, dialect: ChatDialect): void =>
    mountRaw(app, endpoint, async (context) => {
      await serve(context, gateway, kind, dialect, endpoint.path);
      return RESPONSE_ALREADY_SENT;
    });
  call(endpoints.chat, 'chat', nativeChat);
  call(endpoints.completion, 'completion', nativeCompletion);
  call(endpoints.openaiChat, 'chat', openaiChat);
  call(endpoints.openaiCompletion, 'completion', openaiCompletion);
  call(endpoints.rootChat, 'chat', openaiChat);
  call(endpoints.rootCompletion, 'completion', openaiCompletion);

  const stop = (endpoint: Endpoint): void =>
    mount(app, gateway, endpoint, async (context) => {
      const id = context.req.param('id') ?? '';
      const { account } = context.get('credential');
      // A stranger's, an unknown and a finished stream look alike.
      const success =
        gateway.streams.stop(account.id, id) || (await gateway.storage.requestStop(account.id, id));
      return context.json({ success });
    });
  stop(endpoints.stopCompletion);
  stop(endpoints.stopChat);
}
