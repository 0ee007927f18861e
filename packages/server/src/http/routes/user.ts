/** What an account may know of itself, and the routes of the hosted service that this one does not have. */
import { usageQuery } from '../../contract/bodies.ts';
import { endpoints } from '../../contract/endpoints.ts';
import { GatewayError } from '../../contract/errors.ts';
import type { Gateway } from '../../core/gateway.ts';
import { accountProfile, usageReport } from '../../core/usage-report.ts';
import { mount, readQuery, type App } from '../route.ts';

/** Mounts every user row of the endpoint table. */
export function userRoutes(app: App, gateway: Gateway): void {
  mount(app, gateway, endpoints.usage, async (context) => {
    const range = readQuery(context, usageQuery);
    context.header('cache-control', 'no-store');
    return context.json(await usageReport(gateway.storage, context.get('credential'), range));
  });
  mount(app, gateway, endpoints.me, async (context) => {
    context.header('cache-control', 'no-store');
    return context.json(await accountProfile(gateway.storage, context.get('credential')));
  });
  mount(app, gateway, endpoints.userHealth, (context) => context.json({ status: 'ok', router: 'user' }));
  const resemble = (): never => {
    // The Python client knows this case by the words.
    throw new GatewayError(
      'feature_unavailable',
      'Resemble needs a Business-plan of the hosted service; it is not part of this server.',
    );
  };
  const { resemble: post, resembleGet, resemblePut, resembleDelete } = endpoints;
  for (const endpoint of [post, resembleGet, resemblePut, resembleDelete])
    mount(app, gateway, endpoint, resemble);
}
