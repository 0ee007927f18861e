/**
 * From what a caller wrote to where the call goes: the public model id, its facts and prices, and the targets to try in
 * order. Names are read in this order: alias table, models of the configuration, `provider/model` split at the first
 * slash, the `provider` field, a name some configured provider lists, the default provider.
 */
import type { Capability, CatalogueModel } from '../contract/catalogue.ts';
import { badField, GatewayError } from '../contract/errors.ts';
import type { ModelSettings, ProviderSettings, Settings } from '../contract/settings.ts';
import type { Provider } from '../providers/provider.ts';
import type { Catalogue } from './catalogue.ts';
import type { FoundModels } from './found.ts';
import { createListing, type Listing } from './model-listing.ts';
import { defaultName, type Sources } from './model-defaults.ts';
import { bookOf, type PriceBook } from './pricing.ts';
import { createRoster, type Access, type Roster } from './roster.ts';

/** One place that can serve the call. */
export interface Target {
  /** `provider/model`: how circuits and jobs know it. */
  readonly name: string;
  readonly provider: ProviderSettings;
  readonly vendor: Provider;
  /** The id that provider's API takes. */
  readonly model: string;
  /** Facts of the model as this provider serves it, or null. */
  readonly info: CatalogueModel | null;
  readonly order: number;
  readonly weight: number;
}

export interface Resolved {
  /** `provider/model`, or the bare name the configuration gave it: what usage rows and allowed models speak of. */
  readonly id: string;
  readonly provider: string;
  /** Without the provider. */
  readonly model: string;
  /** null for a model neither the catalogue nor the configuration knows. */
  readonly info: CatalogueModel | null;
  /** The configuration's price, else the catalogue's; null = unknown. */
  readonly prices: PriceBook | null;
  /** Tokens; null = unknown. */
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** In the order to try them; never empty. */
  readonly targets: readonly Target[];
}

interface ResolveOptions {
  /** The caller brings the provider's key: a known provider need not be configured, and only one provider is tried. */
  readonly byok?: boolean;
}

export interface Models {
  /**
   * Throws `provider_not_found`, `provider_not_configured`, `model_not_found`, or a 400 naming `model` where none was
   * named and there is no default, or where the model does something else.
   */
  resolve(
    model: string | null,
    providerField: string | null,
    capability: Capability,
    options?: ResolveOptions,
  ): Resolved;
  readonly catalogue: Catalogue;
  /** Which providers there are and which can be used now. */
  readonly roster: Roster;
  /** What the models routes answer. */
  readonly listing: Listing;
}

export interface ModelsInput {
  readonly catalogue: Catalogue;
  readonly settings: Pick<Settings, 'providers' | 'models' | 'aliases' | 'defaults'>;
  readonly vendors: ReadonlyMap<string, Provider>;
  readonly found: FoundModels;
  /** 0 <= n < 1; for tests. */
  readonly random?: () => number;
}

/** Resolutions remembered, at most: names come from callers. */
const maxRemembered = 2000;

export function createModels(input: ModelsInput): Models {
  const random = input.random ?? Math.random;
  const roster = createRoster(input);
  const resolver = createResolver({ ...input, roster });
  let remembered = new Map<string, Resolved>();
  let version = input.found.version;
  return {
    catalogue: input.catalogue,
    roster,
    listing: createListing({ ...input, roster }),
    resolve(model, providerField, capability, options = {}) {
      if (version !== input.found.version || remembered.size >= maxRemembered) {
        version = input.found.version;
        remembered = new Map();
      }
      const byok = options.byok === true;
      const key = JSON.stringify([model, providerField, capability, byok]);
      let resolved = remembered.get(key);
      if (resolved === undefined) {
        resolved = resolver(model, providerField, capability, byok);
        remembered.set(key, resolved);
      }
      if (resolved.targets.length === 1) return resolved;
      return { ...resolved, targets: drawOrder(resolved.targets, random) };
    },
  };
}

type ResolverInput = ModelsInput & Sources;

type Resolver = (
  model: string | null,
  providerField: string | null,
  capability: Capability,
  byok: boolean,
) => Resolved;

function createResolver(input: ResolverInput): Resolver {
  const { settings, roster } = input;
  const configured = new Map(settings.models.map((each) => [each.id, each]));
  return (model, providerField, capability, byok) => {
    const written = model === '' ? null : model;
    const name = unalias(written ?? defaultName(input, providerField, capability, byok), settings.aliases);
    const own = configured.get(name);
    let resolved: Resolved;
    if (own !== undefined && own.targets.length > 0) {
      resolved = fromTargets(input, own, byok);
    } else {
      const place = locate(input, name, written === null ? null : providerField, byok);
      const listed = input.catalogue.find(place.access.provider.vendor, place.model);
      const publicId = `${place.access.provider.id}/${listed?.id ?? place.model}`;
      const override = configured.get(publicId) ?? own ?? null;
      resolved =
        override !== null && override.targets.length > 0
          ? fromTargets(input, override, byok)
          : fromProvider(input, place, override);
    }
    requireCapability(resolved, capability);
    requireTold(input.found, resolved, capability);
    if (resolved.info === null) roster.requireListed(resolved.provider, resolved.model);
    return resolved;
  };
}

function unalias(name: string, aliases: Settings['aliases']): string {
  let current = name;
  // The configuration refuses circles; the bound keeps a mistake there from hanging a call.
  for (let hops = 0; hops < 16; hops += 1) {
    const next = Object.hasOwn(aliases, current) ? aliases[current] : undefined;
    if (next === undefined) return current;
    current = next;
  }
  return current;
}

interface Place {
  readonly access: Access;
  readonly model: string;
}

function locate(input: ResolverInput, name: string, providerField: string | null, byok: boolean): Place {
  const { roster } = input;
  const slash = name.indexOf('/');
  if (slash > 0) {
    const provider = name.slice(0, slash).toLowerCase();
    const model = name.slice(slash + 1);
    if (model === '') throw new GatewayError('model_not_found', `Model '${name}' not found`);
    // Hosts of open models have ids with slashes of their own: `provider: "together", model: "Qwen/Qwen3.5-9B"`.
    if (roster.isKnown(provider) || providerField === null)
      return { access: roster.access(provider, byok), model };
  }
  if (providerField !== null)
    return { access: roster.access(providerField.toLowerCase(), byok), model: name };
  const provider = roster.providerListing(name) ?? roster.defaultProvider();
  if (provider === null) throw new GatewayError('model_not_found', `Model '${name}' not found`);
  return { access: roster.access(provider, byok), model: name };
}

function fromProvider(input: ResolverInput, place: Place, override: ModelSettings | null): Resolved {
  const { provider, vendor } = place.access;
  const listed = input.catalogue.find(provider.vendor, place.model);
  const info = withLimits(listed, override);
  const model = listed?.id ?? place.model;
  return {
    id: `${provider.id}/${model}`,
    provider: provider.id,
    model,
    info,
    prices: pricesOf(input.catalogue, listed, override),
    contextWindow: override?.contextWindow ?? listed?.context_window ?? null,
    maxOutputTokens: override?.maxOutputTokens ?? listed?.max_output_tokens ?? null,
    targets: [{ name: `${provider.id}/${model}`, provider, vendor, model, info, order: 0, weight: 1 }],
  };
}

/** A model the configuration spreads over deployments. */
function fromTargets(input: ResolverInput, own: ModelSettings, byok: boolean): Resolved {
  const { catalogue, roster } = input;
  const slash = own.id.indexOf('/');
  const targets = own.targets.map((each): Target => {
    const { provider, vendor } = roster.access(each.provider, byok);
    const info = withLimits(catalogue.find(provider.vendor, each.model), own);
    const { model, order, weight } = each;
    return { name: `${provider.id}/${model}`, provider, vendor, model, info, order, weight };
  });
  const first = targets.reduce((a, b) => (b.order < a.order ? b : a));
  const provider = slash > 0 ? own.id.slice(0, slash) : first.provider.id;
  const model = slash > 0 ? own.id.slice(slash + 1) : own.id;
  const listed = slash > 0 ? catalogue.find(provider, model) : null;
  const info = withLimits(listed, own) ?? first.info;
  // A caller's key is for one vendor: it must not travel to another.
  const home = targets.find((each) => each.vendor.id === provider) ?? first;
  return {
    id: own.id,
    provider,
    model,
    info,
    prices: pricesOf(catalogue, listed, own) ?? sharedPrices(catalogue, targets),
    contextWindow: own.contextWindow ?? info?.context_window ?? null,
    maxOutputTokens: own.maxOutputTokens ?? info?.max_output_tokens ?? null,
    targets: (byok ? targets.filter((each) => each.vendor.id === home.vendor.id) : targets).map((each) =>
      each.info === null ? { ...each, info } : each,
    ),
  };
}

function withLimits(listed: CatalogueModel | null, own: ModelSettings | null): CatalogueModel | null {
  if (listed === null || own === null) return listed;
  if (own.contextWindow === null && own.maxOutputTokens === null) return listed;
  return {
    ...listed,
    ...(own.contextWindow === null ? {} : { context_window: own.contextWindow }),
    ...(own.maxOutputTokens === null ? {} : { max_output_tokens: own.maxOutputTokens }),
  };
}

function pricesOf(
  catalogue: Catalogue,
  listed: CatalogueModel | null,
  own: ModelSettings | null,
): PriceBook | null {
  const written =
    own === null
      ? null
      : bookOf({ prices: own.prices ?? undefined, unit_prices: own.unitPrices ?? undefined });
  if (written !== null) return written;
  return listed === null ? null : catalogue.prices(listed);
}

/** The price all targets have in common; where they differ the configuration must say what the model costs. */
function sharedPrices(catalogue: Catalogue, targets: readonly Target[]): PriceBook | null {
  const books = targets.map(({ provider, model }) => {
    const listed = catalogue.find(provider.vendor, model);
    return listed === null ? null : catalogue.prices(listed);
  });
  const first = books[0] ?? null;
  return books.every((book) => book?.version === first?.version) ? first : null;
}

function requireCapability({ id, info }: Resolved, capability: Capability): void {
  if (info === null || info.capabilities.includes(capability)) return;
  // A chat model continues a prompt, too.
  if (capability === 'completion' && info.capabilities.includes('chat')) return;
  throw badField('model', `Model '${id}' does not do ${capability}; it does ${info.capabilities.join(', ')}`);
}

/** As the server on this machine says; a guess by the name refuses nothing. */
function requireTold(
  found: FoundModels,
  { id, provider, model, info }: Resolved,
  capability: Capability,
): void {
  const own = info === null ? found.find(provider, model) : null;
  if (own?.told !== true || own.capabilities.includes(capability)) return;
  const does = own.capabilities.length === 0 ? 'nothing that is served here' : own.capabilities.join(', ');
  throw badField('model', `Model '${id}' does not do ${capability}; it does ${does}`);
}

/** Lower orders first; within one order drawn by weight, without putting back. */
function drawOrder(targets: readonly Target[], random: () => number): Target[] {
  const drawn: Target[] = [];
  const orders = [...new Set(targets.map((each) => each.order))].sort((a, b) => a - b);
  for (const order of orders) {
    const left = targets.filter((each) => each.order === order);
    while (left.length > 0) {
      let ticket = random() * left.reduce((sum, each) => sum + each.weight, 0);
      let index = 0;
      for (; index < left.length - 1; index += 1) {
        ticket -= left[index]?.weight ?? 0;
        if (ticket < 0) break;
      }
      drawn.push(...left.splice(index, 1));
    }
  }
  return drawn;
}
