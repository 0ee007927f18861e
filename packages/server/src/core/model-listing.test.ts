import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../contract/errors.ts';
import { Secret } from '../contract/secret.ts';
import type { ModelSettings, ProviderSettings } from '../contract/settings.ts';
import type { Provider } from '../providers/provider.ts';
import { loadCatalogue } from './catalogue.ts';
import { createFoundModels } from './found.ts';
import { createModels } from './models.ts';
import type { Document, Listing } from './model-listing.ts';
import { perThousand, type ModelView, type OpenAiModelView, type ProviderView } from './model-views.ts';
import { byName } from '../providers/own-servers.ts';

const catalogue = loadCatalogue(join(import.meta.dirname, '../../catalogue'));
const vendor = (id: string, more: Partial<Provider> = {}): Provider => ({
  id,
  name: id,
  keyNames: [],
  baseUrlNames: [],
  baseUrl: `https://${id}.test`,
  auth: { header: 'authorization', prefix: 'Bearer ' },
  proof: {},
  ...more,
});
const vendors = new Map([
  ['openai', vendor('openai')],
  ['together', vendor('together')],
  ['azure', vendor('azure', { baseUrl: null })],
  ['ollama', vendor('ollama', { name: 'Ollama', keyless: true, loopback: true })],
  ['local', vendor('local', { keyless: true })],
]);
const provider = (id: string, more: Partial<ProviderSettings> = {}): ProviderSettings => ({
  id,
  vendor: id,
  apiKey: new Secret('sk-hidden-in-every-listing'),
  baseUrl: null,
  options: {},
  headers: {},
  ...more,
});
const own = (id: string, more: Partial<ModelSettings>): ModelSettings => ({
  id,
  targets: [],
  prices: null,
  unitPrices: null,
  contextWindow: null,
  maxOutputTokens: null,
  ...more,
});
const found = createFoundModels();
const { listing } = createModels({
  catalogue,
  vendors,
  found,
  settings: {
    providers: [
      provider('openai'),
      provider('azure-eu', { vendor: 'azure', baseUrl: 'https://eu.test' }),
      provider('local', { apiKey: null }),
    ],
    models: [
      own('openai/gpt-4o', { prices: { input: '9', output: '10' }, contextWindow: 7 }),
      own('openai/gpt-99', { maxOutputTokens: 5 }),
      own('smart', { targets: [{ provider: 'azure-eu', model: 'gpt-4o', order: 0, weight: 1 }] }),
    ],
    aliases: {},
    defaults: {},
  },
});

const json = (document: Document): unknown => JSON.parse(document.body.toString('utf8'));
const all = (): ProviderView[] => json(listing.providers()) as ProviderView[];
const message = (act: (each: Listing) => unknown): string => {
  try {
    act(listing);
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
};

describe('GET /models', () => {
  it('is an array of providers, usable ones first, each with its models flat and in six lists', () => {
    const providers = all();
    expect(providers.slice(0, 3).map((each) => each.id)).toEqual(['openai', 'azure-eu', 'local']);
    expect(providers.map((each) => each.id)).toEqual(
      expect.arrayContaining(['anthropic', 'google', 'together']),
    );
    const openai = providers[0];
    expect(openai).toMatchObject({
      name: 'OpenAI',
      available: true,
      byok: true,
      metadata: { vendor: 'openai' },
    });
    expect(openai?.capabilities).toEqual(
      expect.arrayContaining(['chat', 'completion', 'vision', 'embedding', 'image', 'tts', 'stt', 'video']),
    );
    const names = (models: readonly ModelView[] | undefined) => models?.map((each) => each.id) ?? [];
    expect(names(openai?.text_completions)).toContain('gpt-4o-mini');
    expect(names(openai?.text_completions)).not.toContain('text-embedding-3-small');
    expect(names(openai?.embeddings)).toContain('text-embedding-3-small');
    expect(names(openai?.image_generation)).toContain('dall-e-3');
    expect(names(openai?.text_to_speech)).toContain('tts-1');
    expect(names(openai?.speech_to_text)).toContain('whisper-1');
    expect(names(openai?.video_generation)).toContain('sora-2');
    expect(names(openai?.models)).toContain('text-embedding-3-small');
  });

  it('says of each model whether it can be used now', () => {
    for (const each of all()) {
      expect(each.models.every((model) => model.available === each.available)).toBe(true);
    }
    expect(all().find((each) => each.id === 'anthropic')).toMatchObject({ available: false });
  });

  it('holds no key', () => {
    expect(listing.providers().body.includes('hidden')).toBe(false);
  });

  it('is made once, carries a tag of its bytes, and is kept compressed', async () => {
    const document = listing.providers();
    expect(listing.providers()).toBe(document);
    expect(document.etag).toMatch(/^W\/"[\w-]{27}"$/);
    expect(gunzipSync(await document.compressed()).equals(document.body)).toBe(true);
    expect(document.compressed()).toBe(document.compressed());
  });
});

describe('a model', () => {
  it('has every member any generation of the API had', () => {
    expect(json(listing.model('openai', 'gpt-4o-mini')) as ModelView).toMatchObject({
      id: 'gpt-4o-mini',
      modelName: 'gpt-4o-mini',
      name: 'GPT-4o mini',
      provider: 'openai',
      type: 'Text Generation',
      capabilities: ['chat', 'completion', 'vision'],
      description: '',
      max_tokens: 128_000,
      context_window: 128_000,
      specs: { context_window: 128_000, output_tokens: 16_384, dimensions: null },
      pricing: { input: 0.00015, output: 0.0006, currency: 'USD', unit: '1K tokens' },
      byok: true,
      status: 'available',
      available: true,
      metadata: { released: '2024-07-18' },
    });
    expect((json(listing.model('openai', 'text-embedding-3-small')) as ModelView).specs.dimensions).toBe(
      1536,
    );
  });

  it('has no price rather than zero where none is known', () => {
    expect((json(listing.model('openai', 'o1-preview')) as ModelView).pricing).toBeNull();
    expect((json(listing.model('local', 'sandbox')) as ModelView).pricing).toMatchObject({
      input: 0,
      output: 0,
    });
  });

  it('is found by alias, display name, any case, and with slashes in its id', () => {
    const id = (p: string, name: string) => (json(listing.model(p, name)) as ModelView).id;
    expect(id('anthropic', 'claude-haiku-4.5')).toBe('claude-haiku-4-5');
    expect(id('openai', 'GPT-4o Mini')).toBe('gpt-4o-mini');
    expect(id('OpenAI', 'GPT-4O')).toBe('gpt-4o');
    expect(id('together', 'Qwen/Qwen3.5-9B')).toBe('Qwen/Qwen3.5-9B');
  });

  it('shows what the configuration says of it', () => {
    expect(json(listing.model('openai', 'gpt-4o')) as ModelView).toMatchObject({
      context_window: 7,
      pricing: { input: 0.009, output: 0.01 },
      metadata: { source: 'configuration' },
    });
    expect(json(listing.model('openai', 'gpt-99')) as ModelView).toMatchObject({
      specs: { output_tokens: 5 },
    });
    expect(json(listing.model('azure-eu', 'smart')) as ModelView).toMatchObject({
      id: 'smart',
      context_window: 128_000,
      pricing: { input: 0.0025 },
    });
  });
});

describe('one provider, one list', () => {
  it('is the same object as in the whole', () => {
    expect(json(listing.provider('openai')) as ProviderView).toEqual(all()[0]);
    expect(json(listing.model('openai', 'embeddings')) as ModelView[]).toEqual(all()[0]?.embeddings);
    expect(json(listing.model('anthropic', 'video_generation')) as ModelView[]).toEqual([]);
  });

  it('is missing in the words that clients look for', () => {
    expect(message((each) => each.provider('zzz'))).toMatch(
      /^provider_not_found: Provider 'zzz' not found\. Available providers: openai, /,
    );
    expect(message((each) => each.model('openai', 'zzz'))).toBe(
      "model_not_found: Model 'openai/zzz' not found",
    );
    expect(message((each) => each.model('zzz', 'gpt-4o'))).toMatch(/^provider_not_found/);
    expect(message((each) => each.openAiModel('openai/zzz'))).toBe(
      "model_not_found: Model 'openai/zzz' not found",
    );
    expect(message((each) => each.openAiModel('zzz/gpt-4o'))).toBe(
      "model_not_found: Model 'zzz/gpt-4o' not found",
    );
  });
});

describe('the OpenAI shape', () => {
  it('lists provider/model, and names of the configuration as they are called', () => {
    const list = json(listing.openAiModels()) as { object: string; data: OpenAiModelView[] };
    expect(list.object).toBe('list');
    const byId = new Map(list.data.map((each) => [each.id, each]));
    expect(byId.size).toBe(list.data.length);
    expect(byId.get('openai/gpt-4o-mini')).toEqual({
      id: 'openai/gpt-4o-mini',
      object: 'model',
      created: Date.parse('2024-07-18') / 1000,
      owned_by: 'openai',
      available: true,
    });
    expect(byId.get('together/Qwen/Qwen3.5-9B')).toMatchObject({ owned_by: 'together', available: false });
    expect(byId.get('smart')).toMatchObject({ owned_by: 'azure-eu' });
    expect(byId.get('openai/gpt-99')?.created).toBe(0);
  });

  it('answers one by id, alias or bare name', () => {
    const id = (name: string) => (json(listing.openAiModel(name)) as OpenAiModelView).id;
    expect(id('openai/gpt-4o')).toBe('openai/gpt-4o');
    expect(id('anthropic/claude-haiku-4.5')).toBe('anthropic/claude-haiku-4-5');
    expect(id('gpt-4o')).toBe('openai/gpt-4o');
    expect(id('smart')).toBe('smart');
    expect(id('together/Qwen/Qwen3.5-9B')).toBe('together/Qwen/Qwen3.5-9B');
  });
});

describe('servers found on this machine', () => {
  it('appear with their own names, and the listing is made anew', () => {
    const before = listing.providers();
    found.set('ollama', ['llama3.2:latest', 'nomic-embed-text:latest'].map(byName));
    expect(listing.providers().etag).not.toBe(before.etag);
    const ollama = json(listing.provider('ollama')) as ProviderView;
    expect(ollama).toMatchObject({ name: 'Ollama', available: true, byok: false });
    expect(ollama.text_completions.map((each) => each.id)).toEqual(['llama3.2:latest']);
    expect(ollama.embeddings.map((each) => each.id)).toEqual(['nomic-embed-text:latest']);
    expect(ollama.models[0]).toMatchObject({ pricing: null, context_window: null });
    found.set('ollama', null);
    expect(listing.providers().etag).toBe(before.etag);
  });
});

describe('prices per thousand', () => {
  it.each([
    ['0.15', 0.00015],
    ['0.6', 0.0006],
    ['3', 0.003],
    ['150', 0.15],
    ['1234.5', 1.2345],
    ['12345', 12.345],
    ['0', 0],
    ['0.0028', 0.0000028],
    ['0.083333', 0.000083333],
  ])('%s a million is %d', (perMillion, expected) => {
    expect(perThousand(perMillion)).toBe(expected);
  });
});
