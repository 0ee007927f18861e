/** What a provider is made with, and what one call may carry beside the AI SDK's own options. */
import type { JSONObject, JSONValue } from '@ai-sdk/provider';
import { loadOptionalSetting, resolve, type FetchFunction, type Resolvable } from '@ai-sdk/provider-utils';

export interface IndoxHubSettings {
  /** A key, or a function asked before every call. Default: `INDOXHUB_API_KEY`, then `INDOX_HUB_API_KEY`, `INDOX_ROUTER_API_KEY`. */
  readonly apiKey?: Resolvable<string> | undefined;
  /** The gateway's origin; a trailing `/v1` or `/api/v1` is left out. Default: `INDOXHUB_BASE_URL`, then `http://127.0.0.1:8100`. */
  readonly baseURL?: string | undefined;
  /** Sent with every call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fetch?: FetchFunction | undefined;
  /** Members of every request's body, such as `byok_api_key`. */
  readonly extraBody?: Readonly<JSONObject> | undefined;
}

/**
 * `providerOptions.indoxhub`: members of the request's body. Any other member passes, too, and reaches the provider.
 * As a type, so that it is a JSONObject.
 */
// oxlint-disable-next-line typescript/consistent-type-definitions
export type IndoxHubOptions = {
  /** Your own key at the provider: the call costs nothing at the gateway. */
  byok_api_key?: string;
  /** The most this call may cost, US dollars. */
  max_cost?: number | string;
  /** The provider, where the model id has none. */
  provider?: string;
  session_id?: string;
  additional_params?: JSONObject;
  [field: string]: JSONValue | undefined;
};

/** What the gateway says of a call, in `providerMetadata.indoxhub`. As a type, so that it is a JSONObject. */
// oxlint-disable-next-line typescript/consistent-type-definitions
export type IndoxHubMetadata = {
  /** US dollars; null when the price is unknown or nothing was told. */
  cost: number | null;
  /** The gateway's id of the call. */
  requestId?: string;
  /** All the gateway told of what was used, as it told it. */
  usage?: JSONObject;
  /** The provider told no usage, so the gateway counted. */
  estimated?: true;
};

/** What every model of a provider shares. */
export interface Config {
  readonly provider: string;
  url(options: { path: string }): string;
  readonly headers: () => Promise<Record<string, string>>;
  readonly fetch?: FetchFunction;
  readonly extraBody: Readonly<JSONObject>;
}

const variable = (...names: readonly string[]): string | undefined =>
  names
    .map((name) => loadOptionalSetting({ settingValue: undefined, environmentVariableName: name })?.trim())
    .find((value) => value !== undefined && value !== '');

function originOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new TypeError('baseURL must be an address such as http://127.0.0.1:8100');
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/(\/api)?\/v1$/, '')}`;
}

/** `kind` names the model in the AI SDK's telemetry. */
export function configOf(settings: IndoxHubSettings, kind: string): Config {
  const { apiKey, fetch } = settings;
  return {
    provider: `indoxhub.${kind}`,
    // Read when a call is made, so that a default provider may be imported before the environment is set.
    url: ({ path }) =>
      originOf(settings.baseURL ?? variable('INDOXHUB_BASE_URL') ?? 'http://127.0.0.1:8100') +
      (path.startsWith('/api/') || path.startsWith('/media/') ? path : `/v1${path}`),
    headers: async () => {
      const key =
        apiKey === undefined
          ? variable('INDOXHUB_API_KEY', 'INDOX_HUB_API_KEY', 'INDOX_ROUTER_API_KEY')
          : await resolve(apiKey);
      return { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...settings.headers };
    },
    ...(fetch === undefined ? {} : { fetch }),
    extraBody: settings.extraBody ?? {},
  };
}
