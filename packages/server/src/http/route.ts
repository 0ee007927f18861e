/**
 * How a route comes to be: only by a row of the endpoint table, so only with a stated answer to "who may call this".
 */
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { ZodType } from 'zod';
import type { Endpoint } from '../contract/endpoints.ts';
import { badField, GatewayError } from '../contract/errors.ts';
import { firstIssue } from '../contract/validate.ts';
import type { Gateway } from '../core/gateway.ts';
import type { Credential } from '../storage/storage.ts';
import { authoriseAdmin, authoriseCaller } from './middleware/auth.ts';

export interface AppEnv {
  Bindings: HttpBindings;
  Variables: {
    requestId: string;
    /** Set on routes with auth `key`. */
    credential: Credential;
  };
}

export type AppContext = Context<AppEnv>;
export type App = Hono<AppEnv>;
export type Handler = (context: AppContext) => Response | Promise<Response>;

/** Serves `endpoint` with `handler`, behind the endpoint's own auth; a trailing slash means the same path. */
export function mount(app: App, gateway: Gateway, endpoint: Endpoint, handler: Handler): void {
  const guarded: Handler = async (context) => {
    if (endpoint.auth === 'key') context.set('credential', await authoriseCaller(context, gateway));
    else if (endpoint.auth !== 'public')
      authoriseAdmin(context, gateway, endpoint.auth === 'admin_or_loopback');
    return handler(context);
  };
  app.on(endpoint.method, endpoint.path, guarded);
  if (!/[/*]$|\{/.test(endpoint.path)) app.on(endpoint.method, `${endpoint.path}/`, guarded);
}

/**
 * Serves an `auth: 'key'` endpoint that writes to the raw outgoing message and authorises by itself, before it reads
 * the body: no middleware may touch its response.
 */
export function mountRaw(app: App, endpoint: Endpoint & { readonly auth: 'key' }, handler: Handler): void {
  app.on(endpoint.method, endpoint.path, handler);
  app.on(endpoint.method, `${endpoint.path}/`, handler);
}

/** The query as the schema reads it; a 400 naming the parameter otherwise. */
export function readQuery<T>(context: AppContext, schema: ZodType<T>): T {
  const parsed = schema.safeParse(context.req.query());
  if (parsed.success) return parsed.data;
  throw firstIssue(parsed.error);
}

const maxAdminBody = 256 * 1024;

/** The JSON body as the schema reads it; an absent body reads as {}. */
export async function readJson<T>(context: AppContext, schema: ZodType<T>): Promise<T> {
  const length = Number(context.req.header('content-length') ?? 0);
  if (length > maxAdminBody) throw new GatewayError('body_too_large');
  const text = await context.req.text();
  if (text.length > maxAdminBody) throw new GatewayError('body_too_large');
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new GatewayError('invalid_json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badField('body', 'The body must be a JSON object.');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw firstIssue(parsed.error);
}
