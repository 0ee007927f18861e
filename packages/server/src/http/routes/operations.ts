/** Health, metrics, the OpenAPI description and the root. */
import { endpoints, type Endpoint } from '../../contract/endpoints.ts';
import type { Gateway } from '../../core/gateway.ts';
import { openapiDocument } from '../openapi.ts';
import { mount, type App, type Handler } from '../route.ts';

function live(gateway: Gateway): Handler {
  return (context) =>
    gateway.draining
      ? context.json({ status: 'draining' }, 503)
      : context.json({ status: 'ok', version: gateway.version });
}

function ready(gateway: Gateway): Handler {
  return async (context) => {
    if (gateway.draining) return context.json({ status: 'draining' }, 503);
    try {
      await gateway.storage.ping();
    } catch {
      return context.json({ status: 'unavailable', store: 'down' }, 503);
    }
    return context.json({ status: 'ready', store: gateway.storage.engine });
  };
}

const docsPage = (title: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2rem;text-transform:capitalize}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
code{font:.9em ui-monospace,monospace}
</style></head><body><main><h1>${title}</h1>`;

/** `withMetrics`: false where admin routes and metrics live on a port of their own. */
export function operationRoutes(app: App, gateway: Gateway, withMetrics: boolean): void {
  const serve = (endpoint: Endpoint, handler: Handler): void => mount(app, gateway, endpoint, handler);
  serve(endpoints.root, (context) =>
    context.json({ status: 'ok', message: 'IndoxHub is running', version: gateway.version, docs: '/docs' }),
  );
  for (const endpoint of [endpoints.live, endpoints.health, endpoints.healthLive, endpoints.healthLiveness])
    serve(endpoint, live(gateway));
  for (const endpoint of [endpoints.ready, endpoints.healthReady, endpoints.healthReadiness])
    serve(endpoint, ready(gateway));
  if (withMetrics)
    serve(endpoints.metrics, async (context) =>
      context.body(await gateway.metrics.text(), 200, { 'content-type': gateway.metrics.contentType }),
    );
  let document: string | null = null;
  serve(endpoints.openapi, (context) => {
    document ??= JSON.stringify(openapiDocument(gateway.version));
    return context.body(document, 200, { 'content-type': 'application/json' });
  });
  serve(endpoints.docs, (context) => {
    const groups = Map.groupBy(Object.values<Endpoint>(endpoints), (each) => each.tag);
    const sections = [...groups].map(([tag, rows]) => {
      const cells = rows.map(
        ({ method, path, auth, summary }) =>
          `<tr><td><code>${method}</code></td><td><code>${path.replaceAll(/\{.+?\}/g, '')}</code></td><td>${auth.replaceAll('_', ' ')}</td><td>${summary}</td></tr>`,
      );
      return `<section><h2>${tag}</h2><table><thead><tr><th>Method</th><th>Path</th><th>Who</th><th>What</th></tr></thead><tbody>${cells.join('')}</tbody></table></section>`;
    });
    return context.html(
      `${docsPage('IndoxHub API')}<p>The full description: <a href="/openapi.json">openapi.json</a></p>${sections.join('')}</main></body></html>`,
    );
  });
}
