/**
 * Chat and text completion: the AI SDK's own OpenAI-compatible models, and what the gateway's answers have beside OpenAI's:
 * the cost, pictures, the proofs of reasoning that providers want back, and errors inside a stream.
 */
import {
  OpenAICompatibleChatLanguageModel,
  OpenAICompatibleCompletionLanguageModel,
} from '@ai-sdk/openai-compatible';
import {
  APICallError,
  type JSONValue,
  type LanguageModelV4,
  type LanguageModelV4CallOptions,
  type LanguageModelV4File,
  type LanguageModelV4Prompt,
  type LanguageModelV4StreamPart,
  type SharedV4Headers,
  type SharedV4ProviderMetadata,
} from '@ai-sdk/provider';
import { errorStructure, metadataOf } from './request.ts';
import type { Config } from './settings.ts';

/** What a message, or a streamed piece of one, has beside OpenAI's fields. */
interface More {
  readonly images?: readonly { readonly image_url: { readonly url: string } }[];
  readonly reasoning_details?: readonly JSONValue[];
}

function moreOf(body: unknown): More {
  const choice = (body as { choices?: { message?: More; delta?: More }[] } | null)?.choices?.[0];
  return choice?.message ?? choice?.delta ?? {};
}

function filesOf({ images = [] }: More): LanguageModelV4File[] {
  return images.map(({ image_url: { url } }) => {
    const data = /^data:([^;,]+);base64,(.*)$/s.exec(url);
    return data === null
      ? { type: 'file', mediaType: 'image/*', data: { type: 'url', url: new URL(url) } }
      : { type: 'file', mediaType: data[1] ?? '', data: { type: 'data', data: data[2] ?? '' } };
  });
}

const proof = (details: readonly JSONValue[]): SharedV4ProviderMetadata => ({
  indoxhub: { reasoningDetails: [...details] },
});

/** Proofs of reasoning go back where the gateway gave them: beside the message's content. */
function withProofs(prompt: LanguageModelV4Prompt): LanguageModelV4Prompt {
  return prompt.map((message) => {
    if (message.role !== 'assistant') return message;
    const details = message.content.flatMap((part) => {
      const told =
        part.type === 'reasoning' ? part.providerOptions?.['indoxhub']?.['reasoningDetails'] : null;
      return Array.isArray(told) ? told : [];
    });
    if (details.length === 0) return message;
    const { providerOptions } = message;
    const openaiCompatible = { ...providerOptions?.['openaiCompatible'], reasoning_details: details };
    return { ...message, providerOptions: { ...providerOptions, openaiCompatible } };
  });
}

/** Gives a stream of the OpenAI-compatible model, raw parts included, what is missing. */
function completing(
  isRawWanted: boolean,
  url: string,
  body: unknown,
  headers: SharedV4Headers | undefined,
): TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart> {
  let details: readonly JSONValue[] = [];
  const told = (): { providerMetadata: SharedV4ProviderMetadata } => {
    const providerMetadata = proof(details);
    details = [];
    return { providerMetadata };
  };
  return new TransformStream({
    transform(part, controller) {
      if (part.type === 'raw') {
        const more = moreOf(part.rawValue);
        details = [...details, ...(more.reasoning_details ?? [])];
        for (const file of filesOf(more)) controller.enqueue(file);
        if (isRawWanted) controller.enqueue(part);
        return;
      }
      if (part.type === 'reasoning-end' && details.length > 0)
        return controller.enqueue({ ...part, ...told() });
      // A proof without words: reasoning the provider keeps to itself.
      if (details.length > 0 && ['text-start', 'tool-input-start', 'finish'].includes(part.type)) {
        controller.enqueue({ type: 'reasoning-start', id: 'proof' });
        controller.enqueue({ type: 'reasoning-end', id: 'proof', ...told() });
      }
      if (part.type === 'error' && !(part.error instanceof Error)) {
        const data = part.error as { message?: unknown };
        const error = new APICallError({
          message: String(data.message),
          url,
          requestBodyValues: body,
          isRetryable: false,
          data,
          ...(headers === undefined ? {} : { responseHeaders: headers }),
        });
        return controller.enqueue({ type: 'error', error });
      }
      if (part.type !== 'finish') return controller.enqueue(part);
      const { indoxhub, ...others } = part.providerMetadata ?? {};
      const metadata = { ...indoxhub, ...metadataOf(part.usage.raw, headers) };
      controller.enqueue({ ...part, providerMetadata: { ...others, indoxhub: metadata } });
    },
  });
}

export function languageModel(kind: 'chat' | 'completion', modelId: string, config: Config): LanguageModelV4 {
  const { extraBody, ...shared } = config;
  const settings = { ...shared, includeUsage: true, supportsStructuredOutputs: true, errorStructure };
  const inner =
    kind === 'chat'
      ? new OpenAICompatibleChatLanguageModel(modelId, settings)
      : new OpenAICompatibleCompletionLanguageModel(modelId, settings);
  const prepared = (options: LanguageModelV4CallOptions): LanguageModelV4CallOptions => {
    const { providerOptions } = options;
    return {
      ...options,
      prompt: withProofs(options.prompt),
      providerOptions: { ...providerOptions, indoxhub: { ...extraBody, ...providerOptions?.['indoxhub'] } },
    };
  };
  return {
    specificationVersion: 'v4',
    provider: config.provider,
    modelId,
    supportedUrls: inner.supportedUrls,
    async doGenerate(options) {
      const result = await inner.doGenerate(prepared(options));
      const more = moreOf(result.response?.body);
      const details = more.reasoning_details ?? [];
      const { indoxhub, ...others } = result.providerMetadata ?? {};
      const metadata = { ...indoxhub, ...metadataOf(result.usage.raw, result.response?.headers) };
      const [first, ...rest] = result.content;
      const reasoning = first?.type === 'reasoning' ? first : { type: 'reasoning' as const, text: '' };
      const content =
        details.length === 0
          ? result.content
          : [
              { ...reasoning, providerMetadata: proof(details) },
              ...(first === undefined || first.type === 'reasoning' ? [] : [first]),
              ...rest,
            ];
      return {
        ...result,
        content: [...content, ...filesOf(more)],
        providerMetadata: { ...others, indoxhub: metadata },
      };
    },
    async doStream(options) {
      const result = await inner.doStream({ ...prepared(options), includeRawChunks: true });
      const url = config.url({ path: kind === 'chat' ? '/chat/completions' : '/completions' });
      const { request, response } = result;
      return {
        ...result,
        stream: result.stream.pipeThrough(
          completing(options.includeRawChunks === true, url, request?.body, response?.headers),
        ),
      };
    },
  };
}
