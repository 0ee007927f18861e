import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { catalogueFile, type CatalogueFile } from '../contract/catalogue.ts';
import { createCatalogue, loadCatalogue } from './catalogue.ts';
import { priceBook } from './pricing.ts';

const directory = join(import.meta.dirname, '../../catalogue');
const files = readdirSync(directory).filter((name) => name.endsWith('.json'));
const read = (name: string): CatalogueFile =>
  catalogueFile.parse(JSON.parse(readFileSync(join(directory, name), 'utf8')));

describe('the catalogue files', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)('%s follows the schema and is named like its provider', (name) => {
    expect(`${read(name).provider}.json`).toBe(name);
  });

  it.each(files)('%s names each model once, and no alias is another model', (name) => {
    const { models } = read(name);
    const ids = models.map((model) => model.id);
    expect(new Set(ids).size).toBe(ids.length);
    const aliases = models.flatMap((model) => model.aliases ?? []);
    expect(new Set(aliases).size).toBe(aliases.length);
    expect(aliases.filter((alias) => ids.includes(alias))).toEqual([]);
  });

  it.each(files)('%s has defaults that it lists and that do what they are the default of', (name) => {
    const { defaults = {}, models } = read(name);
    for (const [capability, id] of Object.entries(defaults)) {
      expect(models.find((model) => model.id === id)?.capabilities).toContain(capability);
    }
  });

  it.each(files)('%s has prices that make sense', (name) => {
    for (const { id, prices, tiers = [], capabilities } of read(name).models) {
      expect(tiers.length === 0 || prices !== undefined, `${id} has tiers without prices`).toBe(true);
      if (prices === undefined) continue;
      const { base } = priceBook(prices, tiers);
      expect(base.cacheRead <= base.input, `${id}: reading the cache costs more than input`).toBe(true);
      const isFree = base.input === 0n && base.output === 0n;
      if (capabilities.includes('chat') && !isFree)
        expect(base.input > 0n && base.output > 0n, `${id} is half free`).toBe(true);
      // Zero stands for "free", never for "unknown".
      if (isFree) expect(id).toMatch(/:free$|^sandbox$|^use-lite$|^glm-4\.\d-flash$/);
    }
  });
});

describe('find', () => {
  const catalogue = loadCatalogue(directory);

  it('knows both spellings of the Claude models, and keeps dated ids apart', () => {
    expect(catalogue.find('anthropic', 'claude-haiku-4.5')?.id).toBe('claude-haiku-4-5');
    expect(catalogue.find('anthropic', 'claude-haiku-4-5')?.id).toBe('claude-haiku-4-5');
    expect(catalogue.find('anthropic', 'claude-sonnet-4.5')?.id).toBe('claude-sonnet-4-5');
    expect(catalogue.find('anthropic', 'claude-opus-4.1')?.id).toBe('claude-opus-4-1');
    expect(catalogue.find('anthropic', 'claude-haiku-4-5-20251001')?.id).toBe('claude-haiku-4-5-20251001');
  });

  it('knows the chat models people have in their code', () => {
    const names = {
      openai: ['gpt-4o-mini', 'gpt-4o', 'gpt-4', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-3.5-turbo', 'o1', 'o3'],
      anthropic: ['claude-sonnet-4', 'claude-3-opus-20240229', 'claude-3-5-sonnet-20241022'],
      google: ['gemini-2.5-flash', 'gemini-2.0-flash', 'gemini-2.5-pro-preview', 'gemini-1.5-pro'],
      mistral: ['mistral-large-latest', 'mistral-small-latest', 'ministral-8b-latest', 'mistral-embed'],
      deepseek: ['deepseek-chat', 'deepseek-coder'],
      xai: ['grok-2', 'grok-beta'],
      qwen: ['qwen-turbo', 'qwen-plus', 'qwen-max'],
    };
    const missing = Object.entries(names).flatMap(([provider, ids]) =>
      ids.filter((id) => catalogue.find(provider, id) === null).map((id) => `${provider}/${id}`),
    );
    expect(missing).toEqual([]);
  });

  it('reads names in any case, an exact id first', () => {
    expect(catalogue.find('openai', 'GPT-4o-Mini')?.id).toBe('gpt-4o-mini');
    expect(catalogue.find('minimax', 'minimax-m2')?.id).toBe('MiniMax-M2');
    const two = createCatalogue([
      {
        provider: 'x',
        name: 'X',
        source: 'test',
        checked: '2026-01-01',
        models: [
          { id: 'a', name: 'first', capabilities: ['chat'], input: [], output: [], aliases: ['b'] },
          { id: 'B', name: 'other', capabilities: ['chat'], input: [], output: [] },
        ],
      },
    ]);
    expect(two.find('x', 'B')?.id).toBe('B');
    expect(two.find('x', 'b')?.id).toBe('a');
    expect(two.find('x', 'OTHER')?.id).toBe('B');
  });

  it('answers null for what it does not know', () => {
    expect(catalogue.find('openai', 'zzz')).toBeNull();
    expect(catalogue.find('nobody', 'gpt-4o')).toBeNull();
    expect(catalogue.find('openai', '__proto__')).toBeNull();
  });

  it('has no price for a model without one', () => {
    const model = catalogue.find('openai', 'o1-preview');
    expect(model).not.toBeNull();
    if (model !== null) expect(catalogue.prices(model)).toBeNull();
  });

  it('prices gpt-4o-mini as OpenAI does', () => {
    const model = catalogue.find('openai', 'gpt-4o-mini');
    expect(model?.prices).toMatchObject({ input: '0.15', output: '0.6', cache_read: '0.075' });
  });
});
