/** /admin/v1: accounts, keys, credits, usage, providers, health. Behind the admin key; bodies and queries are closed. */
import { newAccount, newCredit, newKey, keysQuery, requestsQuery, usageQuery } from '../../contract/admin.ts';
import { endpoints, type Endpoint } from '../../contract/endpoints.ts';
import { badField, GatewayError } from '../../contract/errors.ts';
import {
  accountView,
  creditView,
  issuedKeyView,
  keyView,
  requestView,
  usageView,
  verifyView,
  type View,
} from '../../core/admin-views.ts';
import type { Gateway } from '../../core/gateway.ts';
import { StorageUnavailable } from '../../storage/storage.ts';
import { mount, readJson, readQuery, type App, type AppContext } from '../route.ts';

const actor = 'admin';
const dayMs = 86_400_000;
/** Days of usage when the query names none. */
const usageDays = 30;

interface Answer {
  readonly status?: 200 | 201 | 503;
  readonly body: View;
}

type Serve = (context: AppContext) => Promise<Answer>;

/** Mounts every admin row of the endpoint table. */
export function adminRoutes(app: App, gateway: Gateway): void {
  const serve = (endpoint: Endpoint, handler: Serve): void =>
    mount(app, gateway, endpoint, async (context) => {
      context.header('cache-control', 'no-store');
      const { status, body } = await reachable(handler(context));
      return context.json(body, status ?? 200);
    });
  /** What changes accounts or keys; this process sees it at once, the others within their next pulse. */
  const change = (endpoint: Endpoint, handler: Serve): void =>
    serve(endpoint, async (context) => {
      try {
        return await handler(context);
      } finally {
        gateway.keys.forget();
      }
    });
  accountRoutes(gateway, serve, change);
  keyRoutes(gateway, serve, change);
  reportRoutes(gateway, serve);
  operationRoutes(gateway, serve);
}

type Mount = (endpoint: Endpoint, handler: Serve) => void;

/** A store that does not answer is 503, as on every other route. */
async function reachable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof StorageUnavailable)) throw error;
    throw new GatewayError('store_unavailable', undefined, { retryAfterMs: 1000, cause: error });
  }
}

function accountRoutes({ accounts }: Gateway, serve: Mount, change: Mount): void {
  change(endpoints.createAccount, async (context) => {
    const account = await accounts.createAccount(await readJson(context, newAccount), actor);
    return { status: 201, body: accountView(account) };
  });
  serve(endpoints.listAccounts, async () => ({
    body: { accounts: (await accounts.listAccounts()).map(accountView) },
  }));
  change(endpoints.credit, async (context) => {
    const body = await readJson(context, newCredit);
    return { body: creditView(await accounts.credit(idOf(context), body, actor)) };
  });
}

function keyRoutes({ accounts }: Gateway, serve: Mount, change: Mount): void {
  change(endpoints.createKey, async (context) => {
    const issued = await accounts.createKey(await readJson(context, newKey), actor);
    return { status: 201, body: issuedKeyView(issued) };
  });
  serve(endpoints.listKeys, async (context) => {
    const { account_id } = readQuery(context, keysQuery);
    return { body: { keys: (await accounts.listKeys(account_id ?? null)).map(keyView) } };
  });
  change(endpoints.revokeKey, async (context) => ({
    body: keyView(await accounts.revokeKey(idOf(context), actor)),
  }));
  change(endpoints.rotateKey, async (context) => ({
    body: issuedKeyView(await accounts.rotateKey(idOf(context), actor)),
  }));
}

const idOf = (context: AppContext): string => context.req.param('id') ?? '';
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function reportRoutes({ storage }: Gateway, serve: Mount): void {
  serve(endpoints.adminUsage, async (context) => {
    const query = readQuery(context, usageQuery);
    const toDay = query.end_date ?? dayOf(Date.now());
    const fromDay = query.start_date ?? dayOf(Date.parse(toDay) - (usageDays - 1) * dayMs);
    if (fromDay > toDay)
      throw badField('start_date', "Invalid value for 'start_date': is after the end date");
    const groups = await storage.usage({ accountId: query.account_id ?? null, fromDay, toDay });
    return { body: usageView(fromDay, toDay, groups) };
  });
  serve(endpoints.adminRequests, async (context) => {
    const { account_id, id, limit, before, before_id } = readQuery(context, requestsQuery);
    const rows = await storage.requests({
      accountId: account_id ?? null,
      id: id ?? null,
      limit,
      beforeMs: before ?? null,
      beforeId: before_id ?? null,
    });
    const last = rows.at(-1);
    const next =
      rows.length < limit || last === undefined ? null : { before: last.settledAtMs, before_id: last.id };
    return { body: { requests: rows.map(requestView), next } };
  });
}

function operationRoutes(gateway: Gateway, serve: Mount): void {
  serve(endpoints.adminProviders, async () => ({ body: { providers: providerViews(gateway) } }));
  serve(endpoints.adminHealth, async () => {
    const store = await storeState(gateway);
    const isHealthy = store === 'ok' && !gateway.draining;
    return {
      status: isHealthy ? 200 : 503,
      body: {
        status: gateway.draining ? 'draining' : isHealthy ? 'ok' : 'degraded',
        version: gateway.version,
        uptime_seconds: Math.floor(process.uptime()),
        store: { engine: gateway.storage.engine, status: store },
        streams: gateway.streams.size,
      },
    };
  });
  serve(endpoints.verifyLedger, async () => ({ body: verifyView(await gateway.storage.verify()) }));
  serve(endpoints.checkMedia, async () => ({ body: { ...(await gateway.media.check()) } }));
}

/** The configured providers and the servers found on this machine, with the circuits of what was called there. */
function providerViews({ settings, models, targets }: Gateway): View[] {
  const circuits = [...targets.states()];
  const usable = models.roster.usable().map(({ provider }) => provider);
  const configured = new Set(settings.providers.map(({ id }) => id));
  const found = usable.filter(({ id }) => !configured.has(id));
  return [...settings.providers, ...found].map((provider) => ({
    id: provider.id,
    type: provider.vendor,
    base_url: provider.baseUrl,
    has_key: provider.apiKey !== null,
    configured: configured.has(provider.id),
    usable: usable.some(({ id }) => id === provider.id),
    targets: circuits
      .filter(([target]) => target.startsWith(`${provider.id}/`))
      .map(([target, circuit]) => ({ model: target.slice(provider.id.length + 1), circuit })),
  }));
}

async function storeState({ storage }: Gateway): Promise<'ok' | 'unavailable'> {
  try {
    await storage.ping();
    return 'ok';
  } catch (error) {
    if (error instanceof StorageUnavailable) return 'unavailable';
    throw error;
  }
}
