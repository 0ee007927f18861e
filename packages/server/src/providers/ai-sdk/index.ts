/**
 * The long tail: vendors served through the AI SDK's provider packages, which the operator installs. A row names the package
 * and how its key is found; `ai-sdk` takes any other package by the option `package`.
 */
import { openaiChatCodec } from '../openai-compatible/codec.ts';
import { quirks } from '../openai-compatible/quirks.ts';
import { completionFrom } from '../prompt-as-chat.ts';
import type { Provider } from '../provider.ts';
import { chatAdapter } from './chat.ts';
import { checkPackage } from './package.ts';
import { embeddingAdapter, imageAdapter, speechAdapter, transcriptionAdapter } from './media.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  /** null: the option `package` names it. */
  readonly package: string | null;
  readonly does: readonly ('chat' | 'embedding' | 'image' | 'speech' | 'transcription')[];
  /** The version test/providers/ai-sdk.test.ts runs. */
  readonly tested?: string;
  /** Beside `<ID>_API_KEY`. */
  readonly keyNames?: readonly string[];
}

function adapted(row: Row): Provider {
  const prefix = row.id.toUpperCase().replaceAll('-', '_');
  const chat = { ...openaiChatCodec(quirks.adapter), inlineMedia: true };
  const does = (what: Row['does'][number]): boolean => row.does.includes(what);
  return {
    id: row.id,
    name: row.name,
    keyNames: row.package === null ? [] : [`${prefix}_API_KEY`, ...(row.keyNames ?? [])],
    baseUrlNames: row.package === null ? [] : [`${prefix}_BASE_URL`],
    baseUrl: null,
    auth: { header: 'authorization', prefix: 'Bearer ' },
    adapter: {
      package: row.package,
      tested: row.tested ?? null,
      chat: chatAdapter(row.package),
      check: (options) => checkPackage(options, row.package),
    },
    ...(does('chat') ? { chat, completion: completionFrom(chat, row.name) } : {}),
    ...(does('embedding') ? { embedding: embeddingAdapter(row.package) } : {}),
    ...(does('image') ? { image: imageAdapter(row.package) } : {}),
    ...(does('speech') ? { speech: speechAdapter(row.package) } : {}),
    ...(does('transcription') ? { transcription: transcriptionAdapter(row.package) } : {}),
    proof: {},
  };
}

export const longTail: readonly Provider[] = [
  adapted({
    id: 'bedrock',
    name: 'Amazon Bedrock',
    package: '@ai-sdk/amazon-bedrock',
    tested: '5.0.101',
    does: ['chat', 'embedding', 'image'],
    keyNames: ['AWS_BEARER_TOKEN_BEDROCK'],
  }),
  adapted({ id: 'baseten', name: 'Baseten', package: '@ai-sdk/baseten', does: ['chat'] }),
  adapted({
    id: 'prodia',
    name: 'Prodia',
    package: '@ai-sdk/prodia',
    does: ['image'],
    keyNames: ['PRODIA_TOKEN'],
  }),
  adapted({ id: 'lmnt', name: 'LMNT', package: '@ai-sdk/lmnt', tested: '3.0.36', does: ['speech'] }),
  adapted({ id: 'hume', name: 'Hume', package: '@ai-sdk/hume', does: ['speech'] }),
  adapted({
    id: 'gladia',
    name: 'Gladia',
    package: '@ai-sdk/gladia',
    tested: '3.0.40',
    does: ['transcription'],
  }),
  adapted({ id: 'revai', name: 'Rev.ai', package: '@ai-sdk/revai', does: ['transcription'] }),
  adapted({
    id: 'ai-sdk',
    name: "Any package of the AI SDK's",
    package: null,
    does: ['chat', 'embedding', 'image', 'speech', 'transcription'],
  }),
];
