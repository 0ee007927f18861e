/**
 * The hand-written types against the server's schemas and views: this file compiles only while they are equal. What is
 * checked at run time is that the generated model ids are current.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import type * as bodies from '../../server/src/contract/bodies.ts';
import type { FinishReason as ServerFinishReason } from '../../server/src/contract/chat.ts';
import type { CostBreakdown as ServerBreakdown } from '../../server/src/contract/answer.ts';
import type { ErrorCode as ServerErrorCode } from '../../server/src/contract/errors.ts';
import type { TranscriptSegment, TranscriptWord } from '../../server/src/contract/media.ts';
import type { ModelView, ProviderView } from '../../server/src/core/model-views.ts';
import type { TrendingModel as ServerTrending } from '../../server/src/core/trending.ts';
import type { UsageReport as ServerUsage } from '../../server/src/core/usage-report.ts';
import type * as client from '../src/index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Alike<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };
const proven = <_ extends true>(): void => {};

/** Fields of the gateway itself, which its schemas let pass and `dialects/own-fields.ts` reads. */
type Own = 'max_cost' | 'session_id' | 'stream_id' | 'include_raw';
/** Members whose values the server checks one by one, so that its type of them is wider: held one way. */
type Structured =
  | 'messages'
  | 'tools'
  | 'response_format'
  | 'stop'
  | 'text'
  | 'reference_images'
  | 'voice'
  | 'stream_options';

/** Every field of the schema is in the client's type and the other way, with equal types (sizes apart: open strings). */
type SameBody<Schema extends z.ZodType, Params, Apart extends string = never> =
  Equal<Exclude<keyof Known<z.input<Schema>>, Apart>, Exclude<keyof Params, Own | Apart>> extends true
    ? {
        [K in Exclude<keyof Known<z.input<Schema>>, Apart> & keyof Params]: K extends Structured
          ? Params[K] extends z.input<Schema>[K & keyof z.input<Schema>]
            ? true
            : ['too wide', K]
          : Alike<Params[K], z.input<Schema>[K & keyof z.input<Schema>]> extends true
            ? true
            : ['differs', K];
      }[Exclude<keyof Known<z.input<Schema>>, Apart> & keyof Params]
    : [
        'members',
        Exclude<keyof Known<z.input<Schema>>, keyof Params>,
        Exclude<keyof Params, keyof z.input<Schema>>,
      ];

test('requests are those of the schemas', () => {
  // tool_choice is not looked at by the gateway; it travels.
  proven<SameBody<typeof bodies.chatBody, client.ChatParams, 'tool_choice'>>();
  proven<SameBody<typeof bodies.completionBody, client.CompletionParams>>();
  proven<SameBody<typeof bodies.embeddingBody, client.EmbeddingParams>>();
  proven<SameBody<typeof bodies.imageBody, client.ImageParams>>();
  proven<SameBody<typeof bodies.videoBody, client.VideoParams>>();
  proven<SameBody<typeof bodies.speechBody, client.SpeechParams>>();
  // In a form everything is text: these are written by the client.
  type Form =
    | 'file'
    | 'model'
    | 'temperature'
    | 'additional_params'
    | 'byok_api_key'
    | 'provider'
    | 'timestamp_granularities';
  proven<SameBody<typeof bodies.transcriptionForm, client.TranscriptionParams, Form>>();
  proven<SameBody<typeof bodies.translationForm, client.TranslationParams, Form>>();
  proven<Equal<keyof z.input<typeof bodies.trendingQuery>, keyof client.TrendingParams>>();
  proven<Equal<keyof z.input<typeof bodies.usageQuery>, keyof client.UsageParams>>();
  proven<Equal<keyof z.input<typeof bodies.videoJobsQuery>, keyof client.VideoListParams>>();
});

test('answers are those of the server', () => {
  proven<Alike<ModelView, client.Model>>();
  proven<Equal<keyof ModelView, keyof client.Model>>();
  proven<Equal<keyof ModelView['metadata'], keyof client.Model['metadata']>>();
  proven<Alike<ProviderView, client.Provider>>();
  proven<Equal<keyof ProviderView, keyof client.Provider>>();
  proven<Equal<ServerTrending, client.TrendingModel>>();
  proven<Alike<ServerUsage, client.UsageReport>>();
  proven<Equal<keyof ServerUsage, keyof client.UsageReport>>();
  proven<Equal<ServerErrorCode, client.ErrorCode>>();
  proven<Equal<ServerFinishReason, client.FinishReason>>();
  proven<Equal<keyof ServerBreakdown, keyof client.CostBreakdown>>();
  proven<Alike<TranscriptWord, client.TranscriptWord>>();
  proven<Alike<TranscriptSegment, client.TranscriptSegment>>();
});

/** Never called: it has only to compile, and what is marked must not. */
async function models(hub: client.IndoxHub, name: string): Promise<void> {
  const messages = [{ role: 'user', content: 'hi' }];
  await hub.chat.completions.create({ model: 'openai/gpt-4o-mini', messages });
  await hub.chat.completions.create({ model: 'my-alias', messages });
  await hub.chat.completions.create({ model: name, messages });
  await hub.chat.completions.create({ model: null, messages });
  await hub.chat.completions.create({ messages });
  // @ts-expect-error an image model does not chat
  await hub.chat.completions.create({ model: 'openai/dall-e-3', messages });
  // @ts-expect-error nor in a stream
  await hub.chat.completions.create({ model: 'openai/dall-e-3', messages, stream: true });
  // @ts-expect-error nor by the other name
  await hub.chat(messages, { model: 'openai/tts-1' });
  // @ts-expect-error a chat model makes no vectors
  await hub.embeddings.create({ model: 'openai/gpt-4o-mini', text: 'a' });
  await hub.embeddings.create({ model: 'openai/text-embedding-3-small', text: 'a' });
  // @ts-expect-error a chat model draws no pictures
  await hub.images.generate({ model: 'openai/gpt-4o-mini', prompt: 'a' });
  await hub.images('a', { model: 'openai/dall-e-3' });
  // @ts-expect-error nor videos
  await hub.videos('a', { model: 'openai/dall-e-3' });
  await hub.videos.createAndWait({ model: 'openai/sora-2', prompt: 'a' });
  // @ts-expect-error nor does it speak
  await hub.textToSpeech('a', { model: 'openai/gpt-4o-mini' });
  await hub.audio.speech.create({ model: 'openai/tts-1', input: 'a' });
  // @ts-expect-error nor listen
  await hub.audio.transcriptions.create({ model: 'openai/tts-1', file: new Blob() });
  await hub.speechToText(new Blob(), { model: 'openai/whisper-1' });
  // @ts-expect-error a field that does not exist
  await hub.chat.completions.create({ messages, temprature: 1 });

  const whole = await hub.chat.completions.create({ messages });
  proven<Equal<typeof whole, client.ChatCompletion>>();
  const stream = await hub.chat.completions.create({ messages, stream: true });
  proven<Equal<typeof stream, client.ChatStream>>();
  const either = await hub.chat.completions.create({ messages, stream: name === '' });
  proven<Equal<typeof either, client.ChatCompletion | client.ChatStream>>();
  for await (const event of stream) {
    if (event.type === 'content') proven<Equal<typeof event, client.ContentEvent>>();
    if (event.type === 'usage_final') proven<Equal<typeof event.cost_usd, number | null>>();
  }
}

test('the generated model ids are those of the catalogue', () => {
  expect(models).toBeTypeOf('function');
  const script = join(import.meta.dirname, '../scripts/model-ids.ts');
  const said = execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(said).toContain('is current');
});
