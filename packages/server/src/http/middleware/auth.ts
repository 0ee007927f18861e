/** Who is calling: an API key or a token exchanged for one, as Bearer or (tokens only) as cookie; or the admin key. */
import { hash, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../../contract/errors.ts';
import type { Gateway } from '../../core/gateway.ts';
import { isToken } from '../../core/tokens.ts';
import type { Credential } from '../../storage/storage.ts';
import type { AppContext } from '../route.ts';

/** The Bearer credential of a header, '' when there is none. Throws for another scheme. */
function bearerOf(header: string | undefined): string {
  if (header === undefined) return '';
  const match = /^bearer +(\S+)\s*$/i.exec(header);
  if (match?.[1] === undefined) throw new GatewayError('missing_api_key');
  return match[1];
}

function cookieToken(header: string | undefined): string {
  const match = /(?:^|;\s*)access_token=([^;\s]+)/.exec(header ?? '');
  return match?.[1] ?? '';
}

/** Throws 401, or 503 when the store cannot say. */
export async function authorise(
  gateway: Gateway,
  authorization: string | undefined,
  cookie: string | undefined,
): Promise<Credential> {
  const credential = bearerOf(authorization) || cookieToken(cookie);
  if (credential === '') throw new GatewayError('missing_api_key');
  return isToken(credential)
    ? gateway.keys.byId(await gateway.tokens.verify(credential))
    : gateway.keys.byKey(credential);
}

export function authoriseCaller(context: AppContext, gateway: Gateway): Promise<Credential> {
  return authorise(gateway, context.req.header('authorization'), context.req.header('cookie'));
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(::1|(::ffff:)?127\.)/.test(address);

/** Throws 401 without the admin key, 403 with a tenant's. `loopback`: anybody on this machine will do. */
export function authoriseAdmin(context: AppContext, gateway: Gateway, loopback: boolean): void {
  const header = context.req.header('authorization');
  const incoming = context.env.incoming;
  const forwarded = context.req.header('x-forwarded-for') ?? context.req.header('forwarded');
  if (
    loopback &&
    header === undefined &&
    forwarded === undefined &&
    isLoopback(incoming.socket.remoteAddress)
  )
    return;
  const presented = bearerOf(header);
  if (presented === '')
    throw new GatewayError('missing_api_key', 'Not authenticated: send Authorization: Bearer <admin key>.');
  const given = digest(presented);
  if (gateway.adminKeyHashes.some((known) => timingSafeEqual(known, given))) return;
  if (presented.startsWith('indox-')) throw new GatewayError('forbidden', 'This route needs the admin key.');
  throw new GatewayError('invalid_api_key', 'Invalid admin key.');
}
