/**
 * Every path the gateway answers: one row each. Routes are mounted from it (http/route.ts), so nothing is served that
 * does not say who may call it; OpenAPI, the docs and the client's parity test are made from it.
 */
import type { ZodType } from 'zod';
import * as admin from './admin.ts';
import * as bodies from './bodies.ts';

/** Who may call: anybody, an API key (or its token), the admin key, or the admin key and anybody on loopback. */
export type Auth = 'public' | 'key' | 'admin' | 'admin_or_loopback';

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** In Hono's notation. */
  readonly path: string;
  readonly auth: Auth;
  /** The group it is documented under. */
  readonly tag: string;
  readonly summary: string;
  /** Schema of the JSON body, or of the query for GET. */
  readonly input?: ZodType;
  /** Schema of a multipart form; its file is documented by `file`. */
  readonly form?: ZodType;
  /** Answers server-sent events when the body says `stream: true`. */
  readonly streams?: boolean;
}

const row = <A extends Auth, M extends Endpoint['method']>(
  method: M,
  path: string,
  auth: A,
  tag: string,
  summary: string,
  more: Pick<Endpoint, 'input' | 'form' | 'streams'> = {},
): Endpoint & { readonly auth: A; readonly method: M } => ({ method, path, auth, tag, summary, ...more });

export const endpoints = {
  apiKeyExchange: row(
    'POST',
    '/api/v1/auth/api-key',
    'public',
    'auth',
    'Exchange the API key in X-API-Key for a token',
  ),
  tokenExchange: row(
    'POST',
    '/api/v1/auth/token',
    'public',
    'auth',
    'Exchange an API key sent as a password form for a token',
  ),

  chat: row('POST', '/api/v1/chat/completions', 'key', 'chat', 'Chat', {
    input: bodies.chatBody,
    streams: true,
  }),
  completion: row('POST', '/api/v1/completions', 'key', 'chat', 'Text completion', {
    input: bodies.completionBody,
    streams: true,
  }),
  stopCompletion: row('POST', '/api/v1/completions/stop-stream/:id', 'key', 'chat', 'Stop an active stream'),
  stopChat: row('POST', '/api/v1/chat/stop-stream/:id', 'key', 'chat', 'Stop an active stream'),
  openaiChat: row('POST', '/v1/chat/completions', 'key', 'openai', 'Chat, OpenAI shape', {
    input: bodies.openaiChatBody,
    streams: true,
  }),
  openaiCompletion: row('POST', '/v1/completions', 'key', 'openai', 'Text completion, OpenAI shape', {
    input: bodies.openaiCompletionBody,
    streams: true,
  }),
  rootChat: row(
    'POST',
    '/chat/completions',
    'key',
    'openai',
    'Chat, OpenAI shape, for clients whose base URL has no path',
    {
      input: bodies.openaiChatBody,
      streams: true,
    },
  ),
  rootCompletion: row(
    'POST',
    '/completions',
    'key',
    'openai',
    'Text completion, OpenAI shape, without a path prefix',
    {
      input: bodies.openaiCompletionBody,
      streams: true,
    },
  ),

  embeddings: row('POST', '/api/v1/embeddings', 'key', 'embeddings', 'Embeddings', {
    input: bodies.embeddingBody,
  }),
  openaiEmbeddings: row('POST', '/v1/embeddings', 'key', 'openai', 'Embeddings, OpenAI shape', {
    input: bodies.openaiEmbeddingBody,
  }),
  rootEmbeddings: row(
    'POST',
    '/embeddings',
    'key',
    'openai',
    'Embeddings, OpenAI shape, without a path prefix',
    { input: bodies.openaiEmbeddingBody },
  ),

  images: row('POST', '/api/v1/images/generations', 'key', 'images', 'Pictures from a prompt', {
    input: bodies.imageBody,
  }),
  openaiImages: row(
    'POST',
    '/v1/images/generations',
    'key',
    'openai',
    'Pictures from a prompt, OpenAI shape',
    {
      input: bodies.imageBody,
    },
  ),
  openaiImageEdits: row('POST', '/v1/images/edits', 'key', 'openai', 'Pictures from pictures, OpenAI shape', {
    form: bodies.imageEditForm,
  }),
  rootImages: row(
    'POST',
    '/images/generations',
    'key',
    'openai',
    'Pictures from a prompt, OpenAI shape, without a path prefix',
    {
      input: bodies.imageBody,
    },
  ),
  rootImageEdits: row(
    'POST',
    '/images/edits',
    'key',
    'openai',
    'Pictures from pictures, OpenAI shape, without a path prefix',
    {
      form: bodies.imageEditForm,
    },
  ),
  video: row('POST', '/api/v1/videos/generations', 'key', 'videos', 'Start making a video', {
    input: bodies.videoBody,
  }),
  videoJobs: row('GET', '/api/v1/videos/jobs', 'key', 'videos', 'Video jobs, newest first', {
    input: bodies.videoJobsQuery,
  }),
  videoJob: row('GET', '/api/v1/videos/jobs/:id', 'key', 'videos', 'One video job'),
  videoEvents: row(
    'GET',
    '/api/v1/videos/jobs/:id/events',
    'key',
    'videos',
    'Every change of a video job, as it happens',
    {
      streams: true,
    },
  ),
  cancelVideo: row('POST', '/api/v1/videos/jobs/:id/cancel', 'key', 'videos', 'Cancel a video job'),
  openaiVideo: row('POST', '/v1/videos', 'key', 'openai', 'Start making a video, OpenAI shape', {
    input: bodies.openaiVideoBody,
    form: bodies.openaiVideoBody,
  }),
  openaiVideos: row('GET', '/v1/videos', 'key', 'openai', 'Video jobs, OpenAI shape', {
    input: bodies.openaiVideosQuery,
  }),
  openaiVideoJob: row('GET', '/v1/videos/:id', 'key', 'openai', 'One video job, OpenAI shape'),
  openaiVideoContent: row('GET', '/v1/videos/:id/content', 'key', 'openai', 'The bytes of a finished video'),
  deleteOpenaiVideo: row(
    'DELETE',
    '/v1/videos/:id',
    'key',
    'openai',
    'Cancel a video job, or delete its video',
  ),
  webhookSecret: row(
    'GET',
    '/api/v1/user/webhook-secret',
    'key',
    'user',
    'The secret that signs webhooks of the account',
  ),
  speech: row('POST', '/api/v1/audio/tts/generations', 'key', 'audio', 'Text to speech', {
    input: bodies.speechBody,
  }),
  openaiSpeech: row('POST', '/v1/audio/speech', 'key', 'openai', 'Text to speech, OpenAI shape: bytes', {
    input: bodies.openaiSpeechBody,
  }),
  rootSpeech: row(
    'POST',
    '/audio/speech',
    'key',
    'openai',
    'Text to speech, OpenAI shape, without a path prefix',
    {
      input: bodies.openaiSpeechBody,
    },
  ),

  transcription: row('POST', '/api/v1/audio/stt/transcriptions', 'key', 'audio', 'Speech to text', {
    form: bodies.transcriptionForm,
  }),
  translation: row(
    'POST',
    '/api/v1/audio/stt/translations',
    'key',
    'audio',
    'Speech of any language to English text',
    {
      form: bodies.translationForm,
    },
  ),
  openaiTranscription: row(
    'POST',
    '/v1/audio/transcriptions',
    'key',
    'openai',
    'Speech to text, OpenAI shape',
    {
      form: bodies.transcriptionForm,
    },
  ),
  openaiTranslation: row(
    'POST',
    '/v1/audio/translations',
    'key',
    'openai',
    'Speech to English text, OpenAI shape',
    {
      form: bodies.translationForm,
    },
  ),
  rootTranscription: row(
    'POST',
    '/audio/transcriptions',
    'key',
    'openai',
    'Speech to text, OpenAI shape, without a path prefix',
    {
      form: bodies.transcriptionForm,
    },
  ),
  rootTranslation: row(
    'POST',
    '/audio/translations',
    'key',
    'openai',
    'Speech to English text, OpenAI shape, without a path prefix',
    {
      form: bodies.translationForm,
    },
  ),

  media: row(
    'GET',
    '/media/:id/:name',
    'public',
    'media',
    'A generated file; the signature in its link is the proof',
  ),

  models: row('GET', '/api/v1/models', 'public', 'models', 'Providers and their models'),
  trending: row('GET', '/api/v1/models/trending', 'key', 'models', 'Most used models of this gateway', {
    input: bodies.trendingQuery,
  }),
  provider: row('GET', '/api/v1/models/:provider', 'public', 'models', 'One provider and its models'),
  model: row(
    'GET',
    '/api/v1/models/:provider/:model{.+}',
    'public',
    'models',
    'One model, or one modality of a provider',
  ),
  openaiModels: row('GET', '/v1/models', 'public', 'openai', 'Models, OpenAI shape'),
  openaiModel: row('GET', '/v1/models/:model{.+}', 'public', 'openai', 'One model, OpenAI shape'),

  usage: row('GET', '/api/v1/user/usage', 'key', 'user', 'Usage of the account', {
    input: bodies.usageQuery,
  }),
  me: row('GET', '/api/v1/user/me', 'key', 'user', 'The account behind the key'),
  userHealth: row('GET', '/api/v1/user/health', 'public', 'user', 'Liveness of the user routes'),
  resemble: row('POST', '/api/v1/resemble/*', 'key', 'user', 'Not part of this server: always 503'),
  resemblePut: row('PUT', '/api/v1/resemble/*', 'key', 'user', 'Not part of this server: always 503'),
  resembleDelete: row('DELETE', '/api/v1/resemble/*', 'key', 'user', 'Not part of this server: always 503'),
  resembleGet: row('GET', '/api/v1/resemble/*', 'key', 'user', 'Not part of this server: always 503'),

  createAccount: row('POST', '/admin/v1/accounts', 'admin', 'admin', 'Create an account', {
    input: admin.newAccount,
  }),
  listAccounts: row('GET', '/admin/v1/accounts', 'admin', 'admin', 'List accounts'),
  credit: row('POST', '/admin/v1/accounts/:id/credits', 'admin', 'admin', 'Give an account credit', {
    input: admin.newCredit,
  }),
  createKey: row('POST', '/admin/v1/keys', 'admin', 'admin', 'Create an API key', { input: admin.newKey }),
  listKeys: row('GET', '/admin/v1/keys', 'admin', 'admin', 'List API keys', { input: admin.keysQuery }),
  revokeKey: row('POST', '/admin/v1/keys/:id/revoke', 'admin', 'admin', 'Revoke an API key'),
  rotateKey: row('POST', '/admin/v1/keys/:id/rotate', 'admin', 'admin', 'Give an API key a new secret'),
  adminUsage: row('GET', '/admin/v1/usage', 'admin', 'admin', 'Usage by day, provider and model', {
    input: admin.usageQuery,
  }),
  adminRequests: row('GET', '/admin/v1/requests', 'admin', 'admin', 'Single requests, newest first', {
    input: admin.requestsQuery,
  }),
  adminProviders: row(
    'GET',
    '/admin/v1/providers',
    'admin',
    'admin',
    'Configured providers and the state of their circuits',
  ),
  adminHealth: row('GET', '/admin/v1/health', 'admin', 'admin', 'Store, ledger, streams in flight, version'),
  verifyLedger: row('POST', '/admin/v1/ledger/verify', 'admin', 'admin', 'Prove that the books balance'),
  checkMedia: row(
    'POST',
    '/admin/v1/media/check',
    'admin',
    'admin',
    'Write, read and delete a probe in the media store',
  ),

  root: row('GET', '/', 'public', 'operations', 'Status of the server'),
  live: row('GET', '/healthz', 'public', 'operations', 'Alive; 503 while shutting down'),
  ready: row(
    'GET',
    '/readyz',
    'public',
    'operations',
    'Ready: the store answers and the server is not draining',
  ),
  health: row('GET', '/health', 'public', 'operations', 'Alias of /healthz'),
  healthLive: row('GET', '/health/live', 'public', 'operations', 'Alias of /healthz'),
  healthLiveness: row('GET', '/health/liveness', 'public', 'operations', 'Alias of /healthz'),
  healthReady: row('GET', '/health/ready', 'public', 'operations', 'Alias of /readyz'),
  healthReadiness: row('GET', '/health/readiness', 'public', 'operations', 'Alias of /readyz'),
  metrics: row('GET', '/metrics', 'admin_or_loopback', 'operations', 'Prometheus metrics'),
  openapi: row('GET', '/openapi.json', 'public', 'operations', 'This description'),
  docs: row('GET', '/docs', 'public', 'operations', 'The description as a page'),
} as const satisfies Record<string, Endpoint>;
