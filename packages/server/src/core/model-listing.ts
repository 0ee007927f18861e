/**
 * What `GET /models` answers: the whole catalogue, the configuration's own models and what servers on this machine have,
 * each saying whether it can be used now. Built when first asked for and kept, as text and compressed, until the
 * configuration or what was found changes.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Capability, CatalogueModel } from '../contract/catalogue.ts';
import { GatewayError } from '../contract/errors.ts';
import type { ModelSettings, Settings } from '../contract/settings.ts';
import { byName, type FoundModel } from '../providers/own-servers.ts';
import type { Provider } from '../providers/provider.ts';
import type { Catalogue } from './catalogue.ts';
import type { FoundModels } from './found.ts';
import {
  isModelList,
  modelView,
  openAiModelView,
  providerView,
  type ModelView,
  type ProviderHead,
  type ProviderView,
} from './model-views.ts';
import type { Access, Roster } from './roster.ts';

/** A JSON answer, ready to send. */
export interface Document {
  readonly body: Buffer;
  /** Weak, because the compressed body has the same. */
  readonly etag: string;
  /** The body, compressed; made once. */
  compressed(): Promise<Buffer>;
}

export interface Listing {
  providers(): Document;
  /** Throws `provider_not_found`. */
  provider(id: string): Document;
  /** One of the six lists by its name, else the model by id, alias or display name. Throws `model_not_found`. */
  model(provider: string, name: string): Document;
  openAiModels(): Document;
  /** By `provider/model` or a bare name. Throws `model_not_found`. */
  openAiModel(id: string): Document;
}

interface ListingInput {
  readonly catalogue: Catalogue;
  readonly settings: Pick<Settings, 'providers' | 'models'>;
  readonly vendors: ReadonlyMap<string, Provider>;
  readonly found: FoundModels;
  readonly roster: Roster;
}

const compress = promisify(gzip);

function documentOf(value: unknown): Document {
  const body = Buffer.from(JSON.stringify(value));
  let small: Promise<Buffer> | undefined;
  return {
    body,
    etag: `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
    compressed: () => (small ??= compress(body)),
  };
}

export function createListing(input: ListingInput): Listing {
  let version = -1;
  let views: readonly ProviderView[] = [];
  let documents = new Map<string, Document>();
  const current = (): readonly ProviderView[] => {
    if (version !== input.found.version) {
      version = input.found.version;
      views = buildViews(input);
      documents = new Map();
    }
    return views;
  };
  /** Only for the fixed set of whole lists: single models are made as they are asked for. */
  const kept = (key: string, make: (all: readonly ProviderView[]) => unknown): Document => {
    const all = current();
    let document = documents.get(key);
    if (document === undefined) documents.set(key, (document = documentOf(make(all))));
    return document;
  };
  const find = (id: string): ProviderView => {
    const provider = current().find((each) => each.id === id.toLowerCase());
    if (provider !== undefined) return provider;
    const ids = current().map((each) => each.id);
    throw new GatewayError(
      'provider_not_found',
      `Provider '${id}' not found. Available providers: ${ids.join(', ')}`,
    );
  };

  return {
    providers: () => kept('', (all) => all),
    provider(id) {
      const provider = find(id);
      return kept(`provider/${provider.id}`, () => provider);
    },
    model(providerId, name) {
      const provider = find(providerId);
      if (isModelList(name)) return kept(`list/${provider.id}/${name}`, () => provider[name]);
      const model = findModel(input, provider, name);
      if (model !== null) return documentOf(model);
      throw new GatewayError('model_not_found', `Model '${provider.id}/${name}' not found`);
    },
    openAiModels: () =>
      kept('openai', (all) => ({
        object: 'list',
        data: all.flatMap(({ models }) =>
          models.map((model) => openAiModelView(model, publicId(input, model))),
        ),
      })),
    openAiModel(id) {
      const model = findByPublicId(input, current(), id);
      if (model !== null) return documentOf(openAiModelView(model, publicId(input, model)));
      throw new GatewayError('model_not_found', `Model '${id}' not found`, { param: 'model' });
    },
  };
}

function findModel({ catalogue }: ListingInput, provider: ProviderView, name: string): ModelView | null {
  const exact = provider.models.find((each) => each.id === name);
  if (exact !== undefined) return exact;
  const listed = catalogue.find(provider.metadata.vendor, name);
  const wanted = listed?.id ?? name.toLowerCase();
  return (
    provider.models.find((each) => each.id === wanted) ??
    provider.models.find((each) => each.id.toLowerCase() === wanted || each.name.toLowerCase() === wanted) ??
    null
  );
}

function findByPublicId(input: ListingInput, all: readonly ProviderView[], id: string): ModelView | null {
  const own = all.flatMap((each) => each.models).find((model) => publicId(input, model) === id);
  if (own !== undefined) return own;
  const slash = id.indexOf('/');
  const providerId = slash > 0 ? id.slice(0, slash).toLowerCase() : input.roster.providerListing(id);
  const provider = all.find((each) => each.id === providerId);
  return provider === undefined ? null : findModel(input, provider, slash > 0 ? id.slice(slash + 1) : id);
}

/** A bare name of the configuration is called by that name; everything else by `provider/model`. */
function publicId({ settings }: ListingInput, model: ModelView): string {
  const isOwn = model.metadata.configured === true && settings.models.some(({ id }) => id === model.id);
  return isOwn ? model.id : `${model.provider}/${model.id}`;
}

function buildViews(input: ListingInput): ProviderView[] {
  const { catalogue, settings, vendors, roster } = input;
  const usable = new Map(roster.usable().map((each) => [each.provider.id, each]));
  const rest = [...new Set([...settings.providers.map((each) => each.id), ...catalogue.providers.keys()])]
    .filter((id) => !usable.has(id))
    .sort();
  const configured = new Map(settings.providers.map((each) => [each.id, each.vendor]));
  return [...usable.keys(), ...rest].map((id) => {
    const vendorId = configured.get(id) ?? id;
    const vendor = vendors.get(vendorId);
    const file = catalogue.providers.get(vendorId);
    const access = usable.get(id);
    const head: ProviderHead = {
      id,
      name: id === vendorId ? (file?.name ?? vendor?.name ?? id) : id,
      description: file?.description ?? '',
      available: access !== undefined,
      byok:
        vendor !== undefined && vendor.keyless !== true && (vendor.baseUrl !== null || configured.has(id)),
      metadata: {
        vendor: vendorId,
        ...(file === undefined ? {} : { source: file.source, checked: file.checked }),
      },
    };
    return providerView(head, modelsOf(input, head, vendorId, access));
  });
}

const overrideOf = (settings: Pick<Settings, 'models'>, id: string): ModelSettings | undefined =>
  settings.models.find((each) => each.id === id);

function modelsOf(
  input: ListingInput,
  head: ProviderHead,
  vendorId: string,
  access: Access | undefined,
): ModelView[] {
  const { catalogue, settings, found } = input;
  const file = catalogue.providers.get(vendorId);
  const facts = {
    provider: head.id,
    byok: head.byok,
    available: access !== undefined,
    source: null,
    checked: null,
  };
  const views = (file?.models ?? []).map((model) => {
    const own = overrideOf(settings, `${head.id}/${model.id}`);
    const isOwn = own !== undefined && (own.prices !== null || own.unitPrices !== null);
    const limited = own === undefined ? model : withLimits(model, own);
    return modelView(limited, {
      ...facts,
      prices: isOwn ? own.prices : (model.prices ?? null),
      source: isOwn ? 'configuration' : (model.source ?? null),
      checked: isOwn ? null : (model.checked ?? file?.checked ?? null),
    });
  });
  const known = new Set(views.map((each) => each.id));
  for (const model of found.models(head.id)) {
    if (!known.has(model.id)) views.push(modelView(foundModel(model), { ...facts, prices: null }));
  }
  for (const own of settings.models) {
    const name = ownName(own, head.id);
    if (name === null || known.has(name)) continue;
    const target = own.targets[0];
    const vendor = settings.providers.find((each) => each.id === target?.provider)?.vendor ?? vendorId;
    const listed = target === undefined ? null : catalogue.find(vendor, target.model);
    const model = withLimits({ ...(listed ?? foundModel(byName(name))), id: name, name }, own);
    const view = modelView(model, {
      ...facts,
      prices: own.prices ?? (own.unitPrices === null ? listed?.prices : null) ?? null,
    });
    views.push({ ...view, metadata: { ...view.metadata, configured: true } });
  }
  return views;
}

/** The model's name under this provider, or null when the configuration puts it under another. */
function ownName(own: ModelSettings, provider: string): string | null {
  const slash = own.id.indexOf('/');
  if (slash > 0) return own.id.slice(0, slash) === provider ? own.id.slice(slash + 1) : null;
  const first = own.targets.reduce<ModelSettings['targets'][number] | undefined>(
    (best, each) => (best === undefined || each.order < best.order ? each : best),
    undefined,
  );
  return first?.provider === provider ? own.id : null;
}

function withLimits(model: CatalogueModel, own: ModelSettings): CatalogueModel {
  return {
    ...model,
    ...(own.contextWindow === null ? {} : { context_window: own.contextWindow }),
    ...(own.maxOutputTokens === null ? {} : { max_output_tokens: own.maxOutputTokens }),
  };
}

/** What goes in and comes out of what a model does. */
const flows: Readonly<Record<Capability, readonly [input: readonly string[], output: string]>> = {
  chat: [['text'], 'text'],
  completion: [['text'], 'text'],
  vision: [['text', 'image'], 'text'],
  embedding: [['text'], 'embedding'],
  image: [['text'], 'image'],
  tts: [['text'], 'audio'],
  stt: [['audio'], 'text'],
  video: [['text'], 'video'],
};

function foundModel({ id, capabilities, contextWindow }: FoundModel): CatalogueModel {
  const does = capabilities.map((each) => flows[each]);
  return {
    id,
    name: id,
    capabilities: [...capabilities],
    input: [...new Set(does.flatMap(([input]) => input))],
    output: [...new Set(does.map(([, output]) => output))],
    ...(contextWindow === null ? {} : { context_window: contextWindow }),
  };
}
