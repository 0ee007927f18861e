/** Where an encoded request goes, and with which key. */
import { GatewayError } from '../contract/errors.ts';
import type { CallRequest } from '../contract/request.ts';
import type { Secret } from '../contract/secret.ts';
import type { ProviderSettings, Timeouts } from '../contract/settings.ts';
import { noHeaders, type AuthScheme, type EncodedRequest, type Provider } from '../providers/provider.ts';
import { WrittenHeaders } from './http-connection.ts';
import type { Target } from './models.ts';
import type { UpstreamRequest } from './transport.ts';

function authHeaders(auth: AuthScheme, key: string | null): Record<string, string> {
  if (key === null) return {};
  return { [auth.header]: 'prefix' in auth ? `${auth.prefix}${key}` : key };
}

const origins = new Map<string, { origin: string; prefix: string }>();

function placeOf(baseUrl: string): { origin: string; prefix: string } {
  let place = origins.get(baseUrl);
  if (place === undefined) {
    const url = new URL(baseUrl);
    place = { origin: url.origin, prefix: url.pathname.replace(/\/$/, '') };
    origins.set(baseUrl, place);
  }
  return place;
}

/** A base URL may end in the version that the vendor's paths begin with: it is not said twice. */
function joinPath(prefix: string, path: string): string {
  const version = /^\/v\d[^/]*/.exec(path)?.[0];
  return version !== undefined && prefix.endsWith(version)
    ? prefix + path.slice(version.length)
    : prefix + path;
}

/** A whole URL that a vendor gave for the next step. Throws where the key would leave the vendor's own hosts. */
function elsewhere(
  url: string,
  baseUrl: string,
  vendor: Provider,
): { readonly origin: string; readonly path: string } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const isOwn =
    parsed !== null &&
    (parsed.origin === placeOf(baseUrl).origin ||
      (parsed.protocol === 'https:' &&
        (vendor.hosts ?? []).some((host) => parsed.host === host || parsed.host.endsWith(`.${host}`))));
  if (!isOwn)
    throw new GatewayError('upstream_malformed', 'The provider named an address that is not its own.');
  return { origin: parsed.origin, path: `${parsed.pathname}${parsed.search}` };
}

/** The caller's own key, else the provider's. Throws `provider_not_configured` where the vendor needs one. */
export function keyOf({ vendor, provider }: Target, request: CallRequest): Secret | null {
  const key = request.byokKey ?? provider.apiKey;
  if (key === null && vendor.keyless !== true) {
    const names = vendor.keyNames.join(' or ');
    throw new GatewayError(
      'provider_not_configured',
      `API key not configured for provider '${provider.id}'. Set ${names}.`,
      { param: 'model' },
    );
  }
  return key;
}

/** Of calls with the operator's own key, by what they accept: the same for every call to a provider. */
const written = new WeakMap<ProviderSettings, Map<string, WrittenHeaders>>();

function headersOf(
  { vendor, provider }: Target,
  encoded: EncodedRequest,
  { key, accept }: { readonly key: Secret | null; readonly accept: string },
): Record<string, string> | WrittenHeaders {
  const isUsual = encoded.headers === noHeaders && key === provider.apiKey;
  const before = isUsual ? written.get(provider)?.get(accept) : undefined;
  if (before !== undefined) return before;
  const headers = {
    'content-type': 'application/json',
    accept,
    'accept-encoding': 'identity',
    'user-agent': 'indoxhub',
    ...vendor.headers,
    ...provider.headers,
    ...encoded.headers,
    ...authHeaders(vendor.auth, key?.reveal() ?? null),
  };
  if (!isUsual) return headers;
  const usual = new WrittenHeaders(headers);
  const all = written.get(provider) ?? new Map<string, WrittenHeaders>();
  written.set(provider, all.set(accept, usual));
  return usual;
}

/** The request as it goes out. A key goes to the vendor's own place or where the operator put this provider, never elsewhere. */
export function addressed(
  target: Target,
  encoded: EncodedRequest,
  how: { readonly key: Secret | null; readonly accept: string; readonly timeouts: Timeouts },
): UpstreamRequest {
  const { vendor, provider } = target;
  const baseUrl = provider.baseUrl ?? vendor.baseUrl;
  if (baseUrl === null)
    throw new GatewayError('provider_not_configured', `Provider '${provider.id}' has no base URL.`);
  const place = encoded.path.startsWith('http') ? elsewhere(encoded.path, baseUrl, vendor) : placeOf(baseUrl);
  return {
    method: 'POST',
    origin: place.origin,
    path: 'path' in place ? place.path : joinPath(place.prefix, encoded.path),
    headers: headersOf(target, encoded, how),
    body: encoded.body,
    timeouts: how.timeouts,
  };
}
