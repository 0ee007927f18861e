/** The catalogue's data format: one JSON file per provider under `catalogue/`, checked against this schema in the tests. */
import { z } from 'zod';

/** A price in US dollars as a decimal string, never a float: "0.15". */
const usd = z.string().regex(/^\d+(\.\d{1,12})?$/);

/** US dollars per million tokens of each class; an absent class is priced as its plain one (reasoning as output …). */
export const tokenPrices = z.strictObject({
  input: usd,
  output: usd,
  cache_read: usd.optional(),
  cache_write: usd.optional(),
  /** Cache writes at the vendor's longer lifetime (Anthropic: one hour). */
  cache_write_long: usd.optional(),
  audio_input: usd.optional(),
  image_input: usd.optional(),
  audio_output: usd.optional(),
  image_output: usd.optional(),
  reasoning: usd.optional(),
  /** US dollars for one search. */
  web_search: usd.optional(),
});

/** US dollars of one unit of what is not counted in tokens. */
export const unitPrices = z.strictObject({
  unit: z.enum(['character', 'image', 'audio_second', 'video_second']),
  /** One unit where no row fits; absent: only the rows are known. */
  price: usd.optional(),
  /** The first row whose conditions all hold counts. */
  rows: z
    .array(
      z.strictObject({
        size: z.string().optional(),
        quality: z.string().optional(),
        resolution: z.string().optional(),
        audio: z.boolean().optional(),
        price: usd,
      }),
    )
    .optional(),
  /** Less than this many units is billed as this many. */
  minimum: z.number().int().positive().optional(),
  /** Billed in whole steps of this many units. */
  step: z.number().int().positive().optional(),
});

/** The whole call is priced at this tier when its input exceeds the threshold. */
const priceTier = tokenPrices.extend({ over_input_tokens: z.number().int().positive() });

export const capability = z.enum([
  'chat',
  'completion',
  'embedding',
  'vision',
  'image',
  'tts',
  'stt',
  'video',
]);

const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);

const catalogueModel = z.strictObject({
  /** The id the vendor's API takes. */
  id: z.string().min(1),
  name: z.string().min(1),
  description: z.string().optional(),
  capabilities: z.array(capability).min(1),
  input: z.array(z.string()),
  output: z.array(z.string()),
  /** Tokens; absent = unknown. */
  context_window: z.number().int().positive().optional(),
  max_output_tokens: z.number().int().positive().optional(),
  /** Length of an embedding's vector. */
  dimensions: z.number().int().positive().optional(),
  /** Thinks before it answers; its hidden thinking is billed as output. */
  reasoning: z.boolean().optional(),
  tools: z.boolean().optional(),
  structured_output: z.boolean().optional(),
  /** false: the vendor refuses `temperature`, so the gateway drops it. */
  temperature: z.boolean().optional(),
  /** Other spellings that mean this model. */
  aliases: z.array(z.string()).optional(),
  released: z.string().optional(),
  status: z.enum(['available', 'preview', 'deprecated']).optional(),
  /** Absent = unknown price, never free. */
  prices: tokenPrices.optional(),
  tiers: z.array(priceTier).optional(),
  unit_prices: unitPrices.optional(),
  /** Voices of a model that speaks, as its API names them. */
  voices: z.array(z.string()).optional(),
  /** Where this model's numbers come from, and when that was read, where it is not as the file says. */
  source: z.string().min(1).optional(),
  checked: day.optional(),
});

export const catalogueFile = z.strictObject({
  provider: z.string().regex(/^[a-z][a-z0-9-]*$/),
  name: z.string(),
  description: z.string().optional(),
  /** Where the numbers come from, and when that was read (YYYY-MM-DD). */
  source: z.string().min(1),
  checked: day,
  /** The model a modality takes when the caller names none and this provider is the first configured. */
  defaults: z.partialRecord(capability, z.string()).optional(),
  models: z.array(catalogueModel),
});

export type TokenPrices = z.infer<typeof tokenPrices>;
export type UnitPrices = z.infer<typeof unitPrices>;
export type PriceTier = z.infer<typeof priceTier>;
export type CatalogueModel = z.infer<typeof catalogueModel>;
export type CatalogueFile = z.infer<typeof catalogueFile>;
export type Capability = z.infer<typeof capability>;
