/**
 * How a route comes to be: only by a row of the endpoint table, so only with a stated answer to "who may call this".
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { ZodType } from 'zod';
import type { Endpoint } from '../contract/endpoints.ts';
import { firstIssue } from '../contract/validate.ts';
import type { Gateway } from '../core/gateway.ts';
import { parseJsonObject } from '../dialects/json-scan.ts';
import type { Credential } from '../storage/storage.ts';
import { readBody } from './body.ts';
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

/** Answers on the raw outgoing message, having authorised by itself before it reads the body. */
export type RawHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** The hot paths, answered before the application is asked: path → handler, POST only. */
export class RawRoutes {
  private readonly handlers = new Map<string, RawHandler>();

  /** Serves an endpoint that every caller needs a key for. */
  mount(endpoint: Endpoint & { readonly method: 'POST'; readonly auth: 'key' }, handler: RawHandler): void {
    this.handlers.set(endpoint.path, handler);
    this.handlers.set(`${endpoint.path}/`, handler);
  }

  /** null: the application answers. */
  find(method: string | undefined, url: string): RawHandler | null {
    if (method !== 'POST') return null;
    const query = url.indexOf('?');
    return this.handlers.get(query < 0 ? url : url.slice(0, query)) ?? null;
  }
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
  const bytes = await readBody(context.env.incoming, maxAdminBody);
  const value = bytes.length === 0 ? {} : parseJsonObject(bytes).value;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw firstIssue(parsed.error);
}
