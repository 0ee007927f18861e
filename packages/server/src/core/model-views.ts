/** The model and provider objects of `GET /models`: every member that any generation of the API had. */
import type { Capability, CatalogueModel, TokenPrices } from '../contract/catalogue.ts';

/** The six lists of a provider object, and the capabilities that put a model into each. */
const modelLists = {
  text_completions: ['chat', 'completion'],
  embeddings: ['embedding'],
  image_generation: ['image'],
  text_to_speech: ['tts'],
  speech_to_text: ['stt'],
  video_generation: ['video'],
} as const satisfies Record<string, readonly Capability[]>;

export type ModelList = keyof typeof modelLists;

export const isModelList = (name: string): name is ModelList => Object.hasOwn(modelLists, name);

/** US dollars per thousand tokens. */
interface PricingView {
  readonly input: number;
  readonly output: number;
  readonly cache_read?: number;
  readonly cache_write?: number;
  readonly currency: 'USD';
  readonly unit: '1K tokens';
}

interface ModelMetadata {
  readonly input_modalities: readonly string[];
  readonly output_modalities: readonly string[];
  readonly reasoning: boolean | null;
  readonly tools: boolean | null;
  readonly structured_output: boolean | null;
  /** YYYY-MM-DD, or less. */
  readonly released: string | null;
  readonly aliases?: readonly string[];
  /** Where the numbers come from where that is not as the provider says. */
  readonly source?: string;
  readonly checked?: string | null;
  /** The configuration made this model. */
  readonly configured?: true;
}

interface ProviderMetadata {
  /** Whose API it speaks. */
  readonly vendor: string;
  readonly source?: string;
  readonly checked?: string;
}

export interface ModelView {
  /** Without the provider. */
  readonly id: string;
  readonly modelName: string;
  readonly name: string;
  readonly provider: string;
  readonly type: string;
  readonly capabilities: readonly Capability[];
  readonly description: string;
  /** The context window, as this member always meant; the output limit is `specs.output_tokens`. */
  readonly max_tokens: number | null;
  readonly context_window: number | null;
  readonly specs: {
    readonly context_window: number | null;
    readonly output_tokens: number | null;
    readonly dimensions: number | null;
  };
  /** null: unknown. */
  readonly pricing: PricingView | null;
  /** May be called with the caller's own key. */
  readonly byok: boolean;
  readonly status: 'available' | 'preview' | 'deprecated';
  /** Its provider is configured or was found on this machine. */
  readonly available: boolean;
  readonly metadata: ModelMetadata;
}

export interface ProviderView extends Readonly<Record<ModelList, readonly ModelView[]>> {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly capabilities: readonly Capability[];
  readonly available: boolean;
  readonly byok: boolean;
  readonly models: readonly ModelView[];
  readonly metadata: ProviderMetadata;
}

export interface OpenAiModelView {
  /** `provider/model` */
  readonly id: string;
  readonly object: 'model';
  /** Unix seconds of the model's release; 0 where that is unknown. */
  readonly created: number;
  readonly owned_by: string;
  readonly available: boolean;
}

/** What is said of a model beside its catalogue row. */
export interface ModelFacts {
  readonly provider: string;
  readonly prices: TokenPrices | null;
  readonly byok: boolean;
  readonly available: boolean;
  readonly source: string | null;
  readonly checked: string | null;
}

const types: readonly (readonly [Capability, string])[] = [
  ['chat', 'Text Generation'],
  ['completion', 'Text Generation'],
  ['embedding', 'Embedding'],
  ['image', 'Image Generation'],
  ['tts', 'Text to Speech'],
  ['stt', 'Speech to Text'],
  ['video', 'Video Generation'],
];

/** "0.15" per million → 0.00015 per thousand: the digits are moved, no float is multiplied. */
export function perThousand(perMillion: string): number {
  const [whole = '0', fraction = ''] = perMillion.split('.');
  const digits = whole.padStart(4, '0');
  return Number(`${digits.slice(0, -3)}.${digits.slice(-3)}${fraction}`);
}

function pricingView(prices: TokenPrices | null): PricingView | null {
  if (prices === null) return null;
  return {
    input: perThousand(prices.input),
    output: perThousand(prices.output),
    ...(prices.cache_read === undefined ? {} : { cache_read: perThousand(prices.cache_read) }),
    ...(prices.cache_write === undefined ? {} : { cache_write: perThousand(prices.cache_write) }),
    currency: 'USD',
    unit: '1K tokens',
  };
}

export function modelView(model: CatalogueModel, facts: ModelFacts): ModelView {
  const context = model.context_window ?? null;
  return {
    id: model.id,
    modelName: model.id,
    name: model.name,
    provider: facts.provider,
    type: types.find(([capability]) => model.capabilities.includes(capability))?.[1] ?? 'Other',
    capabilities: model.capabilities,
    description: model.description ?? '',
    max_tokens: context,
    context_window: context,
    specs: {
      context_window: context,
      output_tokens: model.max_output_tokens ?? null,
      dimensions: model.dimensions ?? null,
    },
    pricing: pricingView(facts.prices),
    byok: facts.byok,
    status: model.status ?? 'available',
    available: facts.available,
    metadata: {
      input_modalities: model.input,
      output_modalities: model.output,
      reasoning: model.reasoning ?? null,
      tools: model.tools ?? null,
      structured_output: model.structured_output ?? null,
      released: model.released ?? null,
      ...(model.aliases === undefined ? {} : { aliases: model.aliases }),
      ...(facts.source === null ? {} : { source: facts.source, checked: facts.checked }),
    },
  };
}

/** Everything of a provider but its models. */
export type ProviderHead = Pick<
  ProviderView,
  'id' | 'name' | 'description' | 'available' | 'byok' | 'metadata'
>;

export function providerView(head: ProviderHead, models: readonly ModelView[]): ProviderView {
  const list = (name: ModelList): readonly ModelView[] => {
    const wanted: readonly Capability[] = modelLists[name];
    return models.filter((model) => model.capabilities.some((each) => wanted.includes(each)));
  };
  return {
    id: head.id,
    name: head.name,
    description: head.description,
    capabilities: [...new Set(models.flatMap((model) => model.capabilities))],
    available: head.available,
    byok: head.byok,
    models,
    text_completions: list('text_completions'),
    embeddings: list('embeddings'),
    image_generation: list('image_generation'),
    text_to_speech: list('text_to_speech'),
    speech_to_text: list('speech_to_text'),
    video_generation: list('video_generation'),
    metadata: head.metadata,
  };
}

export function openAiModelView(model: ModelView, publicId: string): OpenAiModelView {
  const released = Date.parse(model.metadata.released ?? '');
  return {
    id: publicId,
    object: 'model',
    created: Number.isNaN(released) ? 0 : Math.floor(released / 1000),
    owned_by: model.provider,
    available: model.available,
  };
}
