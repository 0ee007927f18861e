/** `@indoxhub/client`: what is public. */
export { APIPromise, type WithResponse } from './api-promise.ts';
export { ChatStream, type FinalAnswer } from './chat-stream.ts';
export { IndoxHub, IndoxHub as Client, IndoxHub as default } from './client.ts';
export * from './errors.ts';
export type { Logger, LogLevel } from './log.ts';
export type { ModelIds } from './model-ids.ts';
export type * from './model-types.ts';
export type { ClientOptions, Fetch, HeaderOptions, QueryOptions, RequestOptions } from './options.ts';
export { Page, PagePromise } from './pages.ts';
export type * from './python-names.ts';
export { Audio, Speech, Transcriptions, Translations } from './resources/audio.ts';
export { Chat, ChatCompletions } from './resources/chat.ts';
export { Completions } from './resources/completions.ts';
export { Embeddings } from './resources/embeddings.ts';
export { Images } from './resources/images.ts';
export { Models } from './resources/models.ts';
export { UsageReports } from './resources/usage.ts';
export {
  VideoJobError,
  Videos,
  VideoWaitTimeoutError,
  type CancelledVideo,
  type VideoListParams,
  type WaitOptions,
} from './resources/videos.ts';
export {
  unwrapWebhook,
  Webhooks,
  WebhookVerificationError,
  type UnwrapOptions,
  type WebhookEvent,
  type WebhookHeaders,
} from './resources/webhooks.ts';
export { Stream } from './stream.ts';
export type * from './types/account.ts';
export type * from './types/chat.ts';
export type * from './types/common.ts';
export type * from './types/media.ts';
export { toDataURL, toFile, type ByteSource, type Uploadable } from './uploads.ts';
