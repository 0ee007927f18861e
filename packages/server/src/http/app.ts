/** The application: routes in reading order, one place for errors and for the headers every answer carries. */
import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { endpoints, type Endpoint } from '../contract/endpoints.ts';
import { GatewayError } from '../contract/errors.ts';
import type { Gateway } from '../core/gateway.ts';
import { encodeNativeError } from '../dialects/native/errors.ts';
import { encodeOpenaiError } from '../dialects/openai/errors.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import { commonHeaders, errorHeaders, isOpenToPages, preflightHeaders } from './headers.ts';
import type { App, AppContext, AppEnv } from './route.ts';
import { adminRoutes } from './routes/admin.ts';
import { authRoutes } from './routes/auth.ts';
import { stopRoutes } from './routes/chat.ts';
import { mediaRoutes } from './routes/media.ts';
import { modelRoutes } from './routes/models.ts';
import { operationRoutes } from './routes/operations.ts';
import { videoRoutes } from './routes/videos.ts';
import { userRoutes } from './routes/user.ts';

/** `/v1`, the paths of clients whose base URL has no path, and the one OpenAI path that no prefix has. */
const openaiPath =
  /^\/(v1|chat|completions|embeddings|images|audio|videos)(\/|$)|^(\/api\/v1)?\/responses(\/|$)/;

function errorResponse(context: AppContext, error: GatewayError): Response {
  const { path } = context.req;
  const isOpenai = openaiPath.test(path);
  const requestId = context.get('requestId');
  const body = isOpenai ? encodeOpenaiError(error) : encodeNativeError(error, requestId);
  const headers = { ...commonHeaders(path, requestId), ...errorHeaders(error, isOpenai) };
  return new Response(body, { status: error.status, headers });
}

const patterns = Object.values<Endpoint>(endpoints).map(({ method, path }) => ({
  method,
  pattern: new RegExp(
    `^${path
      .replaceAll(/:\w+\{\.\+\}/g, '.+')
      .replaceAll(/:\w+/g, '[^/]+')
      .replaceAll('*', '.*')}/?$`,
  ),
}));

const isResponses = (path: string): boolean => /^(\/api)?(\/v1)?\/responses(\/|$)/.test(path);
const noResponses =
  "The Responses API is not served here. Use chat completions: openai.chat('…') with @ai-sdk/openai, or " +
  "@ai-sdk/openai-compatible; client.chat.completions with OpenAI's clients.";

/** A path that answers, only not this method, is a 405. */
function missing(context: AppContext): GatewayError {
  const { path, method } = context.req;
  const others = patterns.filter((each) => each.pattern.test(path)).map((each) => each.method);
  return others.length > 0
    ? new GatewayError(
        'method_not_allowed',
        `${path.slice(0, 200)} answers ${[...new Set(others)].join(', ')}.`,
      )
    : new GatewayError(
        'not_found',
        `No such path: ${method} ${path.slice(0, 200)}${isResponses(path) ? `. ${noResponses}` : ''}`,
      );
}

/** `plane`: which routes this listener serves; admin routes may live on a port of their own. */
export function createApp(gateway: Gateway, plane: 'all' | 'data' | 'admin' = 'all'): App {
  const app: App = new Hono<AppEnv>({ strict: true });
  app.onError((cause, context) => {
    if (cause instanceof GatewayError) return errorResponse(context, cause);
    if (cause instanceof StorageUnavailable)
      return errorResponse(
        context,
        new GatewayError('store_unavailable', undefined, { retryAfterMs: 1000, cause }),
      );
    gateway.log.error(
      { err: cause, request_id: context.get('requestId') },
      'a request failed inside the gateway',
    );
    return errorResponse(context, new GatewayError('internal'));
  });
  app.notFound((context) => errorResponse(context, missing(context)));

  app.use(async (context, next) => {
    const { path, method } = context.req;
    context.set('requestId', randomUUID());
    if (method === 'OPTIONS' && isOpenToPages(path))
      return new Response(null, { status: 204, headers: preflightHeaders });
    await next();
    for (const [name, value] of Object.entries(commonHeaders(path, context.get('requestId')))) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
    return undefined;
  });
  if (plane !== 'admin') {
    stopRoutes(app, gateway);
    authRoutes(app, gateway);
    modelRoutes(app, gateway);
    mediaRoutes(app, gateway);
    videoRoutes(app, gateway);
    userRoutes(app, gateway);
  }
  if (plane !== 'data') adminRoutes(app, gateway);
  operationRoutes(app, gateway, plane !== 'data');
  return app;
}
