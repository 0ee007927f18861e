/** The schema of indoxhub.yaml: what `config.schema.json` is made from and what the file is checked with. */
import { z } from 'zod';
import { capability, tokenPrices, unitPrices as unitPricesOf } from '../contract/catalogue.ts';
import { logLevels, names, type Plain } from './names.ts';
import { ValueError } from './problem.ts';

const written = {
  text: z.string(),
  number: z.union([z.number(), z.string()]),
  onOff: z.union([z.boolean(), z.string()]),
};

/** Checked by the table's own reader; the value itself is read later, together with the other sources. */
function setting(
  key: keyof Plain,
  description: string,
  as: keyof typeof written = 'text',
  meta: object = {},
) {
  return written[as]
    .transform((value, context) => {
      const text = String(value);
      try {
        names[key].read(text);
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
      }
      return text;
    })
    .meta({ description, ...meta })
    .optional();
}

const modelId = z.string().trim().min(1).max(256);
const providerId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be lower case letters, digits and dashes, beginning with a letter');
const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'is not a header name');
const headerValue = z.string().regex(/^[\t\x20-\x7e]{0,4096}$/, 'is not a header value');

const provider = z.strictObject({
  type: providerId.describe('The vendor whose API it speaks; by default the one of this name').optional(),
  api_key: z.string().describe('Better as ${NAME} than in clear').optional(),
  base_url: z.string().describe("Instead of the vendor's own").optional(),
  options: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .describe("Vendor settings, such as Azure's api_version")
    .default({}),
  headers: z.record(headerName, headerValue).describe('Sent with every call').default({}),
});

const target = z.strictObject({
  provider: providerId.describe('A provider of this file, or a vendor whose key is set'),
  model: modelId.describe("The id that provider's API takes"),
  order: z.int().min(0).max(1000).describe('Lower is tried first').default(0),
  weight: z.number().positive().max(1_000_000).describe('Share among targets of one order').default(1),
});

/** A price may be written as a number; its text is what counts, so no digit is lost. */
const usd = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(z.string().regex(/^\d{1,9}(\.\d{1,12})?$/, 'must be US dollars like "2.50"'));

const prices = z.strictObject(
  Object.fromEntries(
    Object.entries(tokenPrices.shape).map(([name, price]) => [
      name,
      price.isOptional() ? usd.optional() : usd,
    ]),
  ),
);

const quantity = z.int().positive().max(1_000_000_000);
const unitPrices = z
  .strictObject({
    unit: unitPricesOf.shape.unit.describe('What one price is for'),
    price: usd.describe('US dollars of one unit where no row fits').optional(),
    rows: z
      .array(
        z.strictObject({
          size: z.string().describe('1024x1024').optional(),
          quality: z.string().describe('high').optional(),
          resolution: z.string().describe('720p').optional(),
          audio: z.boolean().describe('With sound').optional(),
          price: usd.describe('US dollars of one such unit'),
        }),
      )
      .min(1)
      .max(200)
      .describe('The first row that fits counts')
      .optional(),
    minimum: quantity.describe('Less than this many units is billed as this many').optional(),
    step: quantity.describe('Billed in whole steps of this many units').optional(),
  })
  .refine(({ price, rows }) => price !== undefined || rows !== undefined, {
    path: ['price'],
    message: 'is required where there are no rows',
  });

const model = z.strictObject({
  targets: z.array(target).max(100).describe('Who serves it; by default its own provider').default([]),
  prices: prices.describe('US dollars per million tokens').optional(),
  unit_prices: unitPrices.describe('US dollars per character, image or second').optional(),
  context_window: z.int().positive().max(1_000_000_000).describe('Tokens').optional(),
  max_output_tokens: z.int().positive().max(1_000_000_000).describe('Tokens').optional(),
});

const timeouts = z.strictObject({
  connect: setting('connectMs', 'Until the connection to a provider stands; default 5s'),
  first_byte: setting('firstByteMs', 'Until the first byte of a streamed answer; default 60s'),
  idle: setting('idleMs', 'Between two chunks of a stream; default 120s'),
  total: setting('totalMs', 'A whole call; default 15m'),
  drain: setting('drainMs', 'Between SIGTERM and cutting what still runs; default 120s'),
  budget_wait: setting('budgetWaitMs', 'How long a call waits for money held by others; default 5s'),
  heartbeat: setting('heartbeatMs', 'Between two comments on a silent stream; default 15s'),
});

export const fileSchema = z.strictObject({
  host: setting('host', 'Address to listen on; default 127.0.0.1'),
  port: setting('port', 'Port to listen on; default 8100', 'number'),
  admin_port: setting('adminPort', 'Moves the admin routes and the metrics to a port of their own', 'number'),
  data_dir: setting('dataDir', 'Where SQLite and the media live; default ./.indoxhub, relative to this file'),
  database_url: setting('databaseUrl', 'postgres://…; default SQLite in the data directory'),
  admin_key: setting('adminKey', 'At least 16 characters; generated when absent'),
  encryption_key: setting('encryptionKey', 'At least 32 characters'),
  log_level: setting('logLevel', 'Default info', 'text', { enum: logLevels }),
  public_url: setting('publicUrl', 'The origin callers see'),
  local_discovery: setting(
    'localDiscovery',
    'Look for Ollama, LM Studio, vLLM, llama.cpp, Speaches and whisper.cpp here; default on',
    'onOff',
  ),
  max_retries: setting('maxRetries', 'Attempts after the first; default 2', 'number'),
  allow_private_urls: setting(
    'allowPrivateUrls',
    'Let callers name URLs on private networks; default off',
    'onOff',
  ),
  max_body: setting('maxBodyBytes', 'The largest request body; default 32MiB', 'number'),
  max_upload: setting('maxUploadBytes', 'The largest file of a form, a sound say; default 100MiB', 'number'),
  video: z
    .strictObject({
      poll: setting('videoPollMs', 'Least time between two questions about a video; default 2s'),
      deadline: setting('videoDeadlineMs', 'A video not done by then has failed; default 2h'),
    })
    .default({}),
  translation_model: setting(
    'translationModel',
    'The chat model that puts transcripts into English; default: the default chat model',
  ),
  media: z
    .strictObject({
      retention: setting('mediaRetentionMs', 'How long generated media is kept; default 168h'),
      max_size: setting('maxMediaBytes', 'The largest file that is stored; default 1GiB', 'number'),
      dir: setting('mediaDir', 'Where it is stored; default media in the data directory'),
      shared: setting(
        'mediaShared',
        'All gateways on the database have that directory; default off',
        'onOff',
      ),
    })
    .default({}),
  s3: z
    .strictObject({
      bucket: setting('s3Bucket', 'Media goes to this bucket instead of a directory'),
      endpoint: setting('s3Endpoint', 'Default: that of AWS in the region'),
      region: setting('s3Region', 'Default us-east-1'),
      access_key_id: setting('s3AccessKeyId', 'Who signs'),
      secret_access_key: setting('s3SecretAccessKey', 'What signs'),
      prefix: setting('s3Prefix', 'Before every key; default indoxhub/'),
      path_style: setting('s3PathStyle', 'endpoint/bucket/key; default on', 'onOff'),
    })
    .default({}),
  timeouts: timeouts.default({}),
  providers: z.record(providerId, provider.nullable()).describe('Providers by id').default({}),
  models: z.record(modelId, model).describe('Models by public id').default({}),
  aliases: z.record(modelId, modelId).describe('Another name → model').default({}),
  defaults: z.partialRecord(capability, modelId).describe('Modality → model').default({}),
});

export type FileSettings = z.infer<typeof fileSchema>;
export type FileProvider = z.infer<typeof provider>;
export type FileModel = z.infer<typeof model>;

/** The published JSON Schema, as editors use it through `# yaml-language-server: $schema=`. */
export function jsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(fileSchema, { io: 'input' }),
    title: 'IndoxHub configuration (indoxhub.yaml)',
  };
}
