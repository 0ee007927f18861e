import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GatewayError, type ErrorCode } from '../contract/errors.ts';
import { Secret } from '../contract/secret.ts';
import type { ModelSettings, ProviderSettings, Settings } from '../contract/settings.ts';
import type { Provider } from '../providers/provider.ts';
import { loadCatalogue } from './catalogue.ts';
import { createFoundModels, type FoundModels } from './found.ts';
import { createModels, type Models } from './models.ts';
import { byName } from '../providers/own-servers.ts';

const catalogue = loadCatalogue(join(import.meta.dirname, '../../catalogue'));

const vendor = (id: string, more: Partial<Provider> = {}): Provider => ({
  id,
  name: id,
  keyNames: [`${id.toUpperCase()}_API_KEY`],
  baseUrlNames: [`${id.toUpperCase()}_BASE_URL`],
  baseUrl: `https://${id}.test/v1`,
  auth: { header: 'authorization', prefix: 'Bearer ' },
  proof: {},
  ...more,
});

const vendors = new Map(
  [
    vendor('openai'),
    vendor('anthropic'),
    vendor('groq'),
    vendor('bedrock'),
    vendor('huggingface'),
    vendor('together'),
    vendor('azure', { baseUrl: null }),
    vendor('ollama', { keyless: true, loopback: true, baseUrl: 'http://127.0.0.1:11434/v1' }),
    vendor('vllm', { keyless: true, loopback: true, baseUrl: 'http://127.0.0.1:8000/v1' }),
    vendor('local', {
      keyless: true,
      inProcess: () => ({ pause() {}, resume() {}, abort() {} }),
    }),
  ].map((each) => [each.id, each]),
);

const configured = (id: string, more: Partial<ProviderSettings> = {}): ProviderSettings => ({
  id,
  vendor: id,
  apiKey: id === 'local' ? null : new Secret('sk-test'),
  baseUrl: null,
  options: {},
  headers: {},
  ...more,
});

const model = (id: string, more: Partial<ModelSettings> = {}): ModelSettings => ({
  id,
  targets: [],
  prices: null,
  unitPrices: null,
  contextWindow: null,
  maxOutputTokens: null,
  ...more,
});

interface Given {
  readonly providers?: readonly (string | ProviderSettings)[];
  readonly models?: readonly ModelSettings[];
  readonly aliases?: Settings['aliases'];
  readonly defaults?: Settings['defaults'];
  readonly found?: FoundModels;
  readonly random?: () => number;
}

function modelsWith(given: Given): Models {
  const providers = [...(given.providers ?? []), 'local'].map((each) =>
    typeof each === 'string' ? configured(each) : each,
  );
  return createModels({
    catalogue,
    vendors,
    settings: {
      providers,
      models: given.models ?? [],
      aliases: given.aliases ?? {},
      defaults: given.defaults ?? {},
    },
    found: given.found ?? createFoundModels(),
    ...(given.random === undefined ? {} : { random: given.random }),
  });
}

function failure(act: () => unknown): { code: ErrorCode; message: string; param: string | undefined } {
  try {
    act();
  } catch (error) {
    if (error instanceof GatewayError)
      return { code: error.code, message: error.message, param: error.param };
    throw error;
  }
  throw new Error('did not fail');
}

describe('provider/model', () => {
  const models = modelsWith({ providers: ['openai', 'anthropic', 'bedrock', 'huggingface'] });

  it('gives the public id, the facts, the price and the provider itself as target', () => {
    const resolved = models.resolve('openai/gpt-4o-mini', null, 'chat');
    expect(resolved).toMatchObject({
      id: 'openai/gpt-4o-mini',
      provider: 'openai',
      model: 'gpt-4o-mini',
      contextWindow: 128_000,
      maxOutputTokens: 16_384,
      targets: [{ model: 'gpt-4o-mini', order: 0, provider: { id: 'openai' }, vendor: { id: 'openai' } }],
    });
    expect(resolved.info?.name).toBe('GPT-4o mini');
    expect(resolved.prices?.base.input).toBe(150_000_000_000n);
  });

  it('splits at the first slash', () => {
    expect(models.resolve('huggingface/meta-llama/Llama-3.3-70B-Instruct', null, 'chat').model).toBe(
      'meta-llama/Llama-3.3-70B-Instruct',
    );
    expect(models.resolve('bedrock/us.amazon.nova-micro-v1:0', null, 'chat')).toMatchObject({
      id: 'bedrock/us.amazon.nova-micro-v1:0',
      model: 'us.amazon.nova-micro-v1:0',
    });
  });

  it('means the same model by another spelling', () => {
    const resolved = models.resolve('Anthropic/claude-haiku-4.5', null, 'chat');
    expect(resolved.id).toBe('anthropic/claude-haiku-4-5');
    expect(resolved.targets[0]?.model).toBe('claude-haiku-4-5');
  });

  it('passes a model on that the catalogue does not know, without facts and price', () => {
    expect(models.resolve('openai/gpt-99', null, 'chat')).toMatchObject({
      id: 'openai/gpt-99',
      info: null,
      prices: null,
      maxOutputTokens: null,
      targets: [{ model: 'gpt-99', info: null }],
    });
  });

  it('lets the slash win over the provider field', () => {
    expect(models.resolve('openai/gpt-4o', 'anthropic', 'chat').provider).toBe('openai');
  });

  it('refuses a model that does something else, and lets a chat model complete', () => {
    expect(failure(() => models.resolve('openai/text-embedding-3-small', null, 'chat'))).toMatchObject({
      code: 'bad_request',
      param: 'model',
    });
    expect(failure(() => models.resolve('openai/gpt-4o', null, 'embedding')).code).toBe('bad_request');
    expect(failure(() => models.resolve('openai/gpt-3.5-turbo-instruct', null, 'chat')).code).toBe(
      'bad_request',
    );
    expect(models.resolve('openai/gpt-4o', null, 'completion').model).toBe('gpt-4o');
  });
});

describe('without a slash', () => {
  it('takes the provider field', () => {
    const models = modelsWith({ providers: ['openai', 'groq', 'together'] });
    expect(models.resolve('whatever', 'Groq', 'chat').id).toBe('groq/whatever');
    expect(models.resolve('Qwen/Qwen3.5-9B', 'together', 'chat').id).toBe('together/Qwen/Qwen3.5-9B');
  });

  it('takes the alias table, through several steps', () => {
    const aliases = { fast: 'quick', quick: 'groq/llama-3.1-8b-instant', 'openai/gpt-4': 'openai/gpt-4o' };
    const models = modelsWith({ providers: ['openai', 'groq'], aliases });
    expect(models.resolve('fast', null, 'chat').id).toBe('groq/llama-3.1-8b-instant');
    expect(models.resolve('openai/gpt-4', null, 'chat').id).toBe('openai/gpt-4o');
    expect(models.resolve('toString', null, 'chat').id).toBe('openai/toString');
  });

  it('takes the configured provider that lists the name', () => {
    const models = modelsWith({ providers: ['anthropic', 'groq'] });
    expect(models.resolve('llama-3.1-8b-instant', null, 'chat').id).toBe('groq/llama-3.1-8b-instant');
    expect(models.resolve('claude-sonnet-4.5', null, 'chat').id).toBe('anthropic/claude-sonnet-4-5');
  });

  it('prefers the default provider where several list it', () => {
    const azure = configured('azure', { baseUrl: 'https://r.test' });
    expect(modelsWith({ providers: [azure, 'openai'] }).resolve('gpt-4o', null, 'chat').provider).toBe(
      'openai',
    );
    const models = modelsWith({ providers: [azure, 'openai'], defaults: { chat: 'azure/gpt-4o' } });
    expect(models.resolve('gpt-4o', null, 'chat').provider).toBe('azure');
  });

  it('says what to configure when only an unconfigured provider lists it', () => {
    const error = failure(() => modelsWith({ providers: ['groq'] }).resolve('gpt-4o-mini', null, 'chat'));
    expect(error.code).toBe('provider_not_configured');
    expect(error.message).toContain('Set OPENAI_API_KEY');
  });

  it('goes to the default provider when nobody lists it', () => {
    expect(modelsWith({ providers: ['groq', 'openai'] }).resolve('new', null, 'chat').id).toBe('openai/new');
    expect(modelsWith({ providers: ['groq', 'anthropic'] }).resolve('new', null, 'chat').id).toBe('groq/new');
  });
});

describe('without a model', () => {
  it('takes the default of the configuration, else of the first configured provider', () => {
    expect(modelsWith({ providers: ['anthropic', 'openai'] }).resolve(null, null, 'chat').id).toBe(
      'anthropic/claude-haiku-4-5',
    );
    const models = modelsWith({
      providers: ['openai', 'groq'],
      defaults: { chat: 'groq/llama-3.1-8b-instant' },
    });
    expect(models.resolve(null, null, 'chat').id).toBe('groq/llama-3.1-8b-instant');
    expect(models.resolve('', null, 'completion').id).toBe('groq/llama-3.1-8b-instant');
    expect(models.resolve(null, null, 'embedding').id).toBe('openai/text-embedding-3-small');
    expect(models.resolve(null, 'openai', 'chat').id).toBe('openai/gpt-4o-mini');
  });

  it('takes the sandbox only while nothing else is configured', () => {
    expect(modelsWith({}).resolve(null, null, 'chat')).toMatchObject({
      id: 'local/sandbox',
      prices: { base: { input: 0n, output: 0n } },
    });
    const azure = modelsWith({ providers: [configured('azure', { baseUrl: 'https://r.test' })] });
    expect(failure(() => azure.resolve(null, null, 'chat'))).toMatchObject({
      code: 'bad_request',
      param: 'model',
    });
    const found = createFoundModels();
    found.set('ollama', ['nomic-embed-text:latest', 'llama3.2:latest'].map(byName));
    expect(modelsWith({ found }).resolve(null, null, 'chat').id).toBe('ollama/llama3.2:latest');
  });
});

describe('refusals', () => {
  it('names the providers there are when there is no such one', () => {
    const error = failure(() => modelsWith({ providers: ['openai'] }).resolve('nobody/x', null, 'chat'));
    expect(error.code).toBe('provider_not_found');
    expect(error.message).toBe("Provider 'nobody' not found. Available providers: openai, local");
  });

  it('names the variable to set when there is no key', () => {
    const models = modelsWith({ providers: ['groq'] });
    expect(failure(() => models.resolve('openai/gpt-4o-mini', null, 'chat'))).toEqual({
      code: 'provider_not_configured',
      message: "API key not configured for provider 'openai'. Set OPENAI_API_KEY, or use one of: groq, local",
      param: 'model',
    });
    expect(failure(() => models.resolve('azure/x', null, 'chat')).message).toContain(
      'Set AZURE_API_KEY and AZURE_BASE_URL',
    );
    expect(failure(() => models.resolve('ollama/llama3', null, 'chat')).message).toContain(
      'not found on this machine',
    );
  });

  it('speaks of the model, not the provider, when the model is missing', () => {
    const error = failure(() => modelsWith({}).resolve('local/zzz', null, 'chat'));
    expect(error).toMatchObject({ code: 'model_not_found', message: "Model 'local/zzz' not found" });
    expect(failure(() => modelsWith({}).resolve('zzz', null, 'chat')).message).not.toMatch(/provider/i);
    expect(failure(() => modelsWith({}).resolve('openai/', null, 'chat')).code).toBe('model_not_found');
  });

  it('does not take a provider without key, of which the file says that callers bring theirs', () => {
    const models = modelsWith({ providers: [configured('openai', { apiKey: null })] });
    expect(failure(() => models.resolve('openai/gpt-4o', null, 'chat')).code).toBe('provider_not_configured');
    expect(failure(() => models.resolve('gpt-4o', null, 'chat')).message).toContain('OPENAI_API_KEY');
    expect(models.resolve('openai/gpt-4o', null, 'chat', { byok: true }).provider).toBe('openai');
    expect(models.resolve('gpt-4o', null, 'chat', { byok: true }).provider).toBe('openai');
  });
});

describe("with the caller's key", () => {
  it('a known provider need not be configured', () => {
    const resolved = modelsWith({}).resolve('openai/gpt-4o-mini', null, 'chat', { byok: true });
    expect(resolved.targets).toMatchObject([{ provider: { id: 'openai', apiKey: null, baseUrl: null } }]);
    expect(modelsWith({}).resolve('gpt-4o', null, 'chat', { byok: true }).id).toBe('openai/gpt-4o');
  });

  it('needs an address and something that takes keys', () => {
    const byok = { byok: true };
    expect(failure(() => modelsWith({}).resolve('azure/x', null, 'chat', byok)).code).toBe(
      'provider_not_configured',
    );
    expect(failure(() => modelsWith({}).resolve('nobody/x', null, 'chat', byok)).code).toBe(
      'provider_not_found',
    );
    expect(failure(() => modelsWith({}).resolve('ollama/x', null, 'chat', byok)).code).toBe(
      'provider_not_configured',
    );
  });

  it('never travels to another vendor', () => {
    const targets = [
      { provider: 'groq', model: 'b', order: 0, weight: 1 },
      { provider: 'openai', model: 'a', order: 1, weight: 1 },
    ];
    const models = modelsWith({
      providers: ['openai', 'groq'],
      models: [model('openai/gpt-4o', { targets })],
    });
    expect(models.resolve('openai/gpt-4o', null, 'chat').targets.map((each) => each.vendor.id)).toEqual([
      'groq',
      'openai',
    ]);
    const own = models.resolve('openai/gpt-4o', null, 'chat', { byok: true });
    expect(own.targets.map((each) => each.vendor.id)).toEqual(['openai']);
  });
});

describe('models of the configuration', () => {
  const azure = [
    configured('azure-eu', { vendor: 'azure', baseUrl: 'https://eu.test' }),
    configured('azure-us', { vendor: 'azure', baseUrl: 'https://us.test' }),
  ];
  const target = (provider: string, order = 0, weight = 1, name = 'gpt-4o') => ({
    provider,
    model: name,
    order,
    weight,
  });

  it('spread over deployments: by order, and by weight within one', () => {
    let next = 0;
    const models = modelsWith({
      providers: [...azure, 'openai'],
      models: [
        model('smart', {
          targets: [target('openai', 1), target('azure-eu', 0, 3), target('azure-us', 0, 1)],
        }),
      ],
      random: () => next,
    });
    const order = (): string[] =>
      models.resolve('smart', null, 'chat').targets.map((each) => each.provider.id);
    expect(order()).toEqual(['azure-eu', 'azure-us', 'openai']);
    next = 0.74;
    expect(order()).toEqual(['azure-eu', 'azure-us', 'openai']);
    next = 0.75;
    expect(order()).toEqual(['azure-us', 'azure-eu', 'openai']);
    expect(models.resolve('smart', null, 'chat')).toMatchObject({
      id: 'smart',
      provider: 'azure-eu',
      model: 'smart',
    });
    expect(models.resolve('smart', null, 'chat').info?.id).toBe('gpt-4o');
  });

  it('draw by weight', () => {
    const models = modelsWith({
      providers: azure,
      models: [model('smart', { targets: [target('azure-eu', 0, 9), target('azure-us', 0, 1)] })],
    });
    let first = 0;
    for (let n = 0; n < 2000; n += 1) {
      if (models.resolve('smart', null, 'chat').targets[0]?.provider.id === 'azure-eu') first += 1;
    }
    // 1800 expected, standard deviation 13.4: ten of them on either side.
    expect(Math.abs(first - 1800)).toBeLessThan(134);
  });

  it('replace the provider itself for a catalogue model, also when called by alias', () => {
    const models = modelsWith({
      providers: ['openai', ...azure],
      models: [model('openai/gpt-4o', { targets: [target('azure-eu')] })],
    });
    const resolved = models.resolve('openai/gpt-4o', null, 'chat');
    expect(resolved).toMatchObject({ id: 'openai/gpt-4o', provider: 'openai', model: 'gpt-4o' });
    expect(resolved.targets.map((each) => each.provider.id)).toEqual(['azure-eu']);
    expect(models.resolve('openai/GPT-4o', null, 'chat').targets).toHaveLength(1);
    expect(models.resolve('gpt-4o', 'openai', 'chat').targets[0]?.provider.id).toBe('azure-eu');
  });

  it('override prices and limits', () => {
    const prices = { input: '9', output: '10' };
    const models = modelsWith({
      providers: ['openai'],
      models: [model('openai/gpt-4o', { prices, maxOutputTokens: 99 }), model('openai/gpt-99', { prices })],
    });
    const resolved = models.resolve('openai/gpt-4o', null, 'chat');
    expect(resolved.prices?.base.input).toBe(9_000_000_000_000n);
    expect(resolved).toMatchObject({
      maxOutputTokens: 99,
      contextWindow: 128_000,
      info: { max_output_tokens: 99 },
    });
    expect(models.resolve('openai/gpt-99', null, 'chat')).toMatchObject({
      info: null,
      prices: { tiers: [] },
    });
  });

  it('have the price their targets share, and none where these differ', () => {
    const models = modelsWith({
      providers: ['openai', ...azure],
      models: [
        model('same', { targets: [target('azure-eu'), target('azure-us')] }),
        model('mixed', { targets: [target('azure-eu'), target('openai', 0, 1, 'gpt-4o-mini')] }),
        model('unknown', { targets: [target('azure-eu', 0, 1, 'my-deployment')] }),
      ],
    });
    expect(models.resolve('same', null, 'chat').prices?.base.input).toBe(2_500_000_000_000n);
    expect(models.resolve('mixed', null, 'chat').prices).toBeNull();
    expect(models.resolve('unknown', null, 'chat').prices).toBeNull();
  });

  it('a deployment under a name of its own has the facts of its vendor', () => {
    const models = modelsWith({ providers: azure });
    expect(models.resolve('azure-eu/gpt-4o', null, 'chat')).toMatchObject({
      id: 'azure-eu/gpt-4o',
      info: { id: 'gpt-4o' },
      targets: [{ vendor: { id: 'azure' }, provider: { baseUrl: 'https://eu.test' } }],
    });
  });
});

describe('servers on this machine', () => {
  it('are there as soon as they are found, and gone when they are', () => {
    const found = createFoundModels();
    const models = modelsWith({ providers: ['openai'], found });
    expect(failure(() => models.resolve('ollama/llama3.2', null, 'chat')).code).toBe(
      'provider_not_configured',
    );
    found.set('ollama', ['llama3.2:latest'].map(byName));
    expect(models.resolve('ollama/llama3.2', null, 'chat')).toMatchObject({
      id: 'ollama/llama3.2',
      prices: null,
    });
    expect(models.resolve('llama3.2', null, 'chat').id).toBe('ollama/llama3.2');
    found.set('ollama', null);
    expect(failure(() => models.resolve('ollama/llama3.2', null, 'chat')).code).toBe(
      'provider_not_configured',
    );
    expect(models.resolve('llama3.2', null, 'chat').id).toBe('openai/llama3.2');
  });
});
