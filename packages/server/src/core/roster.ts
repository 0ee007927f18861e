/** Which providers there are, which can be used now, and what to say of those that cannot. */
import { GatewayError } from '../contract/errors.ts';
import type { ProviderSettings, Settings } from '../contract/settings.ts';
import type { Provider } from '../providers/provider.ts';
import type { Catalogue } from './catalogue.ts';
import type { FoundModels } from './found.ts';

export interface Access {
  readonly provider: ProviderSettings;
  readonly vendor: Provider;
}

export interface Roster {
  /** A vendor of the registry or a provider of the configuration. */
  isKnown(provider: string): boolean;
  /** Usable now with the gateway's own key: configured ones in their order, then servers found on this machine, `local` last. */
  usable(): readonly Access[];
  /** Throws `provider_not_found` or `provider_not_configured`. With a caller's key, a vendor need not be configured. */
  access(provider: string, byok: boolean): Access;
  /** Who lists this bare name: a usable provider, else a vendor that cannot be used yet, else null. */
  providerListing(name: string): string | null;
  /** Where a bare name that nobody lists goes; null when nothing is usable. */
  defaultProvider(): string | null;
  /** Throws `model_not_found` where the catalogue lists everything the provider has: the models inside the gateway. */
  requireListed(provider: string, model: string): void;
}

interface RosterInput {
  readonly catalogue: Catalogue;
  readonly settings: Pick<Settings, 'providers' | 'defaults'>;
  readonly vendors: ReadonlyMap<string, Provider>;
  readonly found: FoundModels;
}

const bare = (id: string): ProviderSettings => ({
  id,
  vendor: id,
  apiKey: null,
  baseUrl: null,
  options: {},
  headers: {},
});

export function createRoster(input: RosterInput): Roster {
  const { catalogue, settings, vendors, found } = input;
  const configured = new Map<string, Access>();
  for (const provider of settings.providers) {
    const vendor = vendors.get(provider.vendor);
    if (vendor !== undefined) configured.set(provider.id, { provider, vendor });
  }
  const hasKey = ({ provider, vendor }: Access): boolean =>
    provider.apiKey !== null || vendor.keyless === true;

  const usable = (): readonly Access[] => {
    const list = [...configured.values()].filter(hasKey);
    for (const id of found.providers) {
      const vendor = vendors.get(id);
      if (vendor !== undefined && !configured.has(id)) list.push({ provider: bare(id), vendor });
    }
    const isInside = (each: Access): boolean => each.vendor.inProcess !== undefined;
    return [...list.filter((each) => !isInside(each)), ...list.filter(isInside)];
  };
  const usableIds = (): string =>
    usable()
      .map((each) => each.provider.id)
      .join(', ');
  const lists = (vendor: string, provider: string, name: string): boolean =>
    catalogue.find(vendor, name) !== null || found.find(provider, name) !== null;

  const defaultProvider = (): string | null => {
    const written = settings.defaults.chat;
    const slash = written?.indexOf('/') ?? -1;
    const ids = usable().map((each) => each.provider.id);
    const preferred = slash > 0 ? written?.slice(0, slash) : 'openai';
    return ids.find((id) => id === preferred) ?? ids[0] ?? null;
  };

  return {
    isKnown: (provider) => configured.has(provider) || vendors.has(provider),
    usable,
    access(id, byok) {
      const own = configured.get(id);
      const vendor = own?.vendor ?? vendors.get(id);
      if (vendor === undefined) {
        throw new GatewayError(
          'provider_not_found',
          `Provider '${id}' not found. Available providers: ${usableIds()}`,
          { param: 'model' },
        );
      }
      if (own === undefined && vendor.adapter?.package === null)
        throw new GatewayError(
          'provider_not_found',
          `Provider '${id}' is a type for providers of the configuration file. Available providers: ${usableIds()}`,
          { param: 'model' },
        );
      const access = own ?? { provider: bare(id), vendor };
      const isFound = found.providers.includes(id);
      if ((own !== undefined && hasKey(own)) || isFound) return access;
      const hasAddress =
        access.provider.baseUrl !== null || vendor.baseUrl !== null || vendor.adapter !== undefined;
      if (byok && hasAddress && vendor.keyless !== true) return access;
      throw notConfigured(id, vendor, own !== undefined, usableIds());
    },
    providerListing(name) {
      const listing = usable().filter(({ provider }) => lists(provider.vendor, provider.id, name));
      const preferred = defaultProvider();
      const best = listing.find((each) => each.provider.id === preferred) ?? listing[0];
      if (best !== undefined) return best.provider.id;
      const others = [...vendors.values()].filter((vendor) => catalogue.find(vendor.id, name) !== null);
      return (others.find((vendor) => vendor.id === 'openai') ?? others[0])?.id ?? null;
    },
    defaultProvider,
    requireListed(id, model) {
      const vendor = configured.get(id)?.vendor ?? vendors.get(id);
      if (vendor?.inProcess === undefined || !catalogue.providers.has(vendor.id)) return;
      throw new GatewayError('model_not_found', `Model '${id}/${model}' not found`, { param: 'model' });
    },
  };
}

/** What to set, for a provider the gateway could serve. */
function notConfigured(id: string, vendor: Provider, isListed: boolean, usableIds: string): GatewayError {
  const instead = usableIds === '' ? '' : `, or use one of: ${usableIds}`;
  const prefix = id.toUpperCase().replaceAll('-', '_');
  const keyName =
    isListed && id !== vendor.id ? `${prefix}_API_KEY` : (vendor.keyNames[0] ?? `${prefix}_API_KEY`);
  const urlName = vendor.baseUrlNames[0] ?? `${prefix}_BASE_URL`;
  const message =
    vendor.loopback === true
      ? `Provider '${id}' was not found on this machine. Start it, set ${urlName}${instead}`
      : vendor.baseUrl === null && vendor.adapter === undefined
        ? `API key not configured for provider '${id}'. Set ${keyName} and ${urlName}${instead}`
        : `API key not configured for provider '${id}'. Set ${keyName}${instead}`;
  return new GatewayError('provider_not_configured', message, { param: 'model' });
}
