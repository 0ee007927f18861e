/** The models routes of both prefixes. Listings are kept ready by core, as text and compressed; a tag saves the rest. */
import { trendingQuery } from '../../contract/bodies.ts';
import { endpoints } from '../../contract/endpoints.ts';
import type { Gateway } from '../../core/gateway.ts';
import type { Document } from '../../core/model-listing.ts';
import { trending } from '../../core/trending.ts';
import { mount, readQuery, type App, type AppContext } from '../route.ts';

/** Below this, compressing saves no packet. */
const worthCompressing = 1400;

/** Mounts every models row of the endpoint table. */
export function modelRoutes(app: App, gateway: Gateway): void {
  // Before the rows with parameters, which would take it for a provider.
  mount(app, gateway, endpoints.trending, async (context) => {
    const query = readQuery(context, trendingQuery);
    context.header('cache-control', 'no-store');
    return context.json(
      await trending({ storage: gateway.storage, catalogue: gateway.models.catalogue }, query),
    );
  });
  mount(app, gateway, endpoints.models, (context) => send(context, gateway.models.listing.providers()));
  mount(app, gateway, endpoints.provider, (context) => {
    // OpenAI's clients encode the slash of an id: `openai%2Fgpt-4o` is one segment.
    const [provider = '', ...model] = parameter(context, 'provider').split('/');
    const { listing } = gateway.models;
    return send(
      context,
      model.length === 0 ? listing.provider(provider) : listing.model(provider, model.join('/')),
    );
  });
  mount(app, gateway, endpoints.model, (context) =>
    send(context, gateway.models.listing.model(parameter(context, 'provider'), parameter(context, 'model'))),
  );
  mount(app, gateway, endpoints.openaiModels, (context) =>
    send(context, gateway.models.listing.openAiModels()),
  );
  mount(app, gateway, endpoints.openaiModel, (context) =>
    send(context, gateway.models.listing.openAiModel(parameter(context, 'model'))),
  );
}

/** Decoded, without a trailing slash: a model's id may hold slashes, but ends with none. */
function parameter(context: AppContext, name: string): string {
  return (context.req.param(name) ?? '').replace(/\/+$/, '');
}

async function send(context: AppContext, document: Document): Promise<Response> {
  context.header('etag', document.etag);
  context.header('cache-control', 'no-cache');
  context.header('vary', 'accept-encoding');
  if (isKnown(context.req.header('if-none-match'), document.etag)) return context.body(null, 304);
  context.header('content-type', 'application/json');
  if (document.body.length < worthCompressing || !takesGzip(context.req.header('accept-encoding'))) {
    return context.body(document.body as Uint8Array<ArrayBuffer>);
  }
  context.header('content-encoding', 'gzip');
  return context.body((await document.compressed()) as Uint8Array<ArrayBuffer>);
}

function isKnown(header: string | undefined, etag: string): boolean {
  const bare = (tag: string): string => tag.trim().replace(/^W\//, '');
  return header?.split(',').some((tag) => tag.trim() === '*' || bare(tag) === bare(etag)) ?? false;
}

function takesGzip(header: string | undefined): boolean {
  return (
    header?.split(',').some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding)) ?? false
  );
}
