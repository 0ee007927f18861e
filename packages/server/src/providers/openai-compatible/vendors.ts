/** Vendors that speak OpenAI's wire, one row each. Base URLs and key names are the vendors' own, as of 2026-11-25. */
import { completionFrom } from '../prompt-as-chat.ts';
import {
  createOllamaFinder,
  llamaCppFinder,
  lmStudioFinder,
  plainFinder,
  speachesFinder,
  whisperCppFinder,
  type Finder,
} from '../own-servers.ts';
import type { AuthScheme, Provider } from '../provider.ts';
import { openaiChatCodec, openaiCompletionCodec } from './codec.ts';
import { mediaOf } from './media.ts';
import { proofs } from './proofs.ts';
import { quirks, type Quirks } from './quirks.ts';

interface VendorRow {
  readonly id: string;
  readonly name: string;
  readonly baseUrl: string | null;
  readonly quirks: Quirks;
  /** Has a text-completion endpoint; otherwise the prompt goes as a chat message. */
  readonly completion?: boolean;
  /** Conventional names beside `<ID>_API_KEY` and `<ID>_BASE_URL`. */
  readonly keyNames?: readonly string[];
  readonly baseUrlNames?: readonly string[];
  readonly auth?: AuthScheme;
  readonly headers?: Readonly<Record<string, string>>;
  readonly loopback?: boolean;
  readonly finder?: Finder;
  /** false: speech only. */
  readonly chat?: false;
}

const bearer: AuthScheme = { header: 'authorization', prefix: 'Bearer ' };

function vendor(row: VendorRow): Provider {
  const chat = openaiChatCodec(row.quirks);
  const prefix = row.id.toUpperCase().replaceAll('-', '_');
  return {
    id: row.id,
    name: row.name,
    keyNames: [`${prefix}_API_KEY`, ...(row.keyNames ?? [])],
    baseUrlNames: [`${prefix}_BASE_URL`, ...(row.baseUrlNames ?? [])],
    baseUrl: row.baseUrl,
    auth: row.auth ?? bearer,
    ...(row.headers === undefined ? {} : { headers: row.headers }),
    ...(row.loopback === true ? { keyless: true, loopback: true } : {}),
    ...(row.finder === undefined ? {} : { finder: row.finder }),
    ...(row.chat === false
      ? {}
      : {
          chat,
          completion:
            row.completion === true ? openaiCompletionCodec(row.quirks) : completionFrom(chat, row.name),
        }),
    ...mediaOf(row.id),
    proof: proofs[row.id] ?? {},
  };
}

export const openaiCompatible: readonly Provider[] = [
  vendor({
    id: 'openai',
    name: 'OpenAI',
    baseUrl: 'https://api.openai.com/v1',
    quirks: quirks.openai,
    completion: true,
  }),
  vendor({
    id: 'azure',
    name: 'Azure OpenAI',
    baseUrl: null,
    quirks: quirks.azure,
    completion: true,
    keyNames: ['AZURE_OPENAI_API_KEY'],
    baseUrlNames: ['AZURE_OPENAI_BASE_URL'],
    auth: { header: 'api-key' },
  }),
  vendor({
    id: 'deepseek',
    name: 'DeepSeek',
    baseUrl: 'https://api.deepseek.com',
    quirks: quirks.deepseek,
    completion: true,
  }),
  vendor({
    id: 'xai',
    name: 'xAI',
    baseUrl: 'https://api.x.ai/v1',
    quirks: quirks.xai,
    completion: true,
  }),
  vendor({
    id: 'mistral',
    name: 'Mistral AI',
    baseUrl: 'https://api.mistral.ai/v1',
    quirks: quirks.mistral,
  }),
  vendor({
    id: 'groq',
    name: 'Groq',
    baseUrl: 'https://api.groq.com/openai/v1',
    quirks: quirks.groq,
  }),
  vendor({
    id: 'together',
    name: 'Together AI',
    baseUrl: 'https://api.together.xyz/v1',
    quirks: quirks.together,
    completion: true,
    keyNames: ['TOGETHER_AI_API_KEY'],
  }),
  vendor({
    id: 'fireworks',
    name: 'Fireworks AI',
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    quirks: quirks.fireworks,
    completion: true,
  }),
  vendor({
    id: 'cerebras',
    name: 'Cerebras',
    baseUrl: 'https://api.cerebras.ai/v1',
    quirks: quirks.cerebras,
    completion: true,
  }),
  vendor({
    id: 'perplexity',
    name: 'Perplexity',
    baseUrl: 'https://api.perplexity.ai',
    quirks: quirks.perplexity,
    keyNames: ['PPLX_API_KEY'],
  }),
  vendor({
    id: 'nvidia',
    name: 'NVIDIA NIM',
    baseUrl: 'https://integrate.api.nvidia.com/v1',
    quirks: quirks.nvidia,
    completion: true,
    keyNames: ['NVIDIA_NIM_API_KEY'],
  }),
  vendor({
    id: 'qwen',
    name: 'Qwen (Alibaba Cloud)',
    baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
    quirks: quirks.qwen,
    completion: true,
    keyNames: ['DASHSCOPE_API_KEY', 'ALIBABA_API_KEY'],
    baseUrlNames: ['DASHSCOPE_BASE_URL'],
  }),
  vendor({
    id: 'moonshot',
    name: 'Moonshot AI (Kimi)',
    baseUrl: 'https://api.moonshot.ai/v1',
    quirks: quirks.moonshot,
  }),
  vendor({
    id: 'zhipu',
    name: 'Zhipu AI (Z.ai)',
    baseUrl: 'https://api.z.ai/api/paas/v4',
    quirks: quirks.zhipu,
    keyNames: ['ZHIPUAI_API_KEY', 'ZAI_API_KEY'],
  }),
  vendor({ id: 'minimax', name: 'MiniMax', baseUrl: 'https://api.minimax.io/v1', quirks: quirks.minimax }),
  vendor({
    id: 'openrouter',
    name: 'OpenRouter',
    baseUrl: 'https://openrouter.ai/api/v1',
    quirks: quirks.openrouter,
    completion: true,
    headers: { 'x-title': 'IndoxHub' },
  }),
  vendor({
    id: 'deepinfra',
    name: 'DeepInfra',
    baseUrl: 'https://api.deepinfra.com/v1/openai',
    quirks: quirks.deepinfra,
    completion: true,
    keyNames: ['DEEPINFRA_TOKEN'],
  }),
  vendor({
    id: 'sambanova',
    name: 'SambaNova',
    baseUrl: 'https://api.sambanova.ai/v1',
    quirks: quirks.sambanova,
    completion: true,
  }),
  vendor({
    id: 'huggingface',
    name: 'Hugging Face',
    baseUrl: 'https://router.huggingface.co/v1',
    quirks: quirks.huggingface,
    keyNames: ['HF_TOKEN'],
  }),
  vendor({
    id: 'cohere',
    name: 'Cohere',
    baseUrl: 'https://api.cohere.ai',
    quirks: quirks.cohere,
    keyNames: ['CO_API_KEY'],
  }),
];

/** A server of one's own, or any vendor not listed: the base URL must be configured. */
export const generic = vendor({
  id: 'openai-compatible',
  name: 'OpenAI-compatible server',
  baseUrl: null,
  quirks: quirks.generic,
  completion: true,
});

const own = (id: string, name: string, port: number, row: Quirks, finder: Finder): Provider =>
  vendor({
    id,
    name,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    quirks: row,
    completion: true,
    loopback: true,
    finder,
  });

/** Looked for on this machine. */
export const ownServers: readonly Provider[] = [
  own('ollama', 'Ollama', 11434, quirks.ownServerInline, createOllamaFinder()),
  own('lmstudio', 'LM Studio', 1234, quirks.ownServerInline, lmStudioFinder),
  // Two each share a port; their finders tell them apart.
  own('vllm', 'vLLM', 8000, quirks.ownServer, plainFinder),
  own('llamacpp', 'llama.cpp server', 8080, quirks.ownServer, llamaCppFinder),
  vendor({
    id: 'speaches',
    name: 'Speaches',
    baseUrl: 'http://127.0.0.1:8000/v1',
    quirks: quirks.ownServer,
    chat: false,
    loopback: true,
    finder: speachesFinder,
  }),
  vendor({
    id: 'whispercpp',
    name: 'whisper.cpp server',
    baseUrl: 'http://127.0.0.1:8080',
    quirks: quirks.ownServer,
    chat: false,
    loopback: true,
    finder: whisperCppFinder,
  }),
];
