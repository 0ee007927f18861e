/** How a data route beside chat is answered: on the raw outgoing message, errors in the shape of its path. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Endpoint } from '../contract/endpoints.ts';
import { GatewayError } from '../contract/errors.ts';
import type { CallKind } from '../contract/request.ts';
import type { Incoming, Reply } from '../core/call-types.ts';
import type { Gateway } from '../core/gateway.ts';
import { encodeNativeError } from '../dialects/native/errors.ts';
import { encodeOpenaiError } from '../dialects/openai/errors.ts';
import { decodeMaxCost } from '../dialects/own-fields.ts';
import { callHeaders, clientRetries, errorHeaders, originOf, single } from './headers.ts';
import { authorise } from './middleware/auth.ts';
import { RawClient } from './raw-client.ts';
import { createRequestId } from './request-id.ts';
import type { RawRoutes } from './route.ts';
import { sendError, sendReply } from './routes/chat.ts';

/** One data route. */
export interface Door {
  readonly endpoint: Endpoint & { readonly method: 'POST'; readonly auth: 'key' };
  readonly kind: CallKind;
  /** null: the answer was written on the client. Throws GatewayError. */
  serve(call: Incoming, incoming: IncomingMessage): Promise<Reply | null>;
}

export function mountDoors(routes: RawRoutes, gateway: Gateway, doors: readonly Door[]): void {
  for (const door of doors)
    routes.mount(door.endpoint, (incoming, outgoing) => void answer(gateway, door, incoming, outgoing));
}

async function answer(
  gateway: Gateway,
  door: Door,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { endpoint, kind } = door;
  const route = endpoint.path;
  const { headers } = incoming;
  const requestId = createRequestId();
  const startedAtMs = Date.now();
  const common = callHeaders(requestId, headers.origin);
  try {
    const credential = await authorise(gateway, headers.authorization, headers.cookie);
    const client = new RawClient(outgoing, common);
    const call: Incoming = {
      requestId,
      kind,
      route,
      credential,
      idempotencyKey: single(headers, 'idempotency-key', 255),
      maxCostNano: decodeMaxCost(single(headers, 'x-indoxhub-max-cost', 32), 'X-IndoxHub-Max-Cost'),
      client,
      origin: originOf(headers.host),
      startedAtMs,
      clientRetries: clientRetries(headers),
    };
    const reply = await door.serve(call, incoming);
    if (reply !== null && !client.gone) sendReply(outgoing, common, reply);
  } catch (cause) {
    const error = cause instanceof GatewayError ? cause : new GatewayError('internal', undefined, { cause });
    if (error.code === 'internal')
      gateway.log.error({ err: cause, request_id: requestId }, 'a call failed inside the gateway');
    const isNative = route.startsWith('/api/');
    const body = isNative ? encodeNativeError(error, requestId) : encodeOpenaiError(error);
    sendError(incoming, outgoing, body, error.status, { ...common, ...errorHeaders(error, !isNative) });
  }
}
