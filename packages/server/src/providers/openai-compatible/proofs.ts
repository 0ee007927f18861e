/** What each OpenAI-speaking vendor's codec was held against; test/providers/*-sdk.test.ts hold each of these. */
import type { Held, ProviderProof } from '../provider.ts';

const held = (sdk: string, ...covers: readonly string[]): Held => ({ sdk, covers });
const whole = ['requests', 'answers', 'streams', 'errors'];
const both = ['requests', 'answers'];

const openai = 'openai 7.57.0';
const azure = `${openai} (AzureOpenAI)`;
const groq = 'groq-sdk 1.6.0';
const together = 'together-ai 0.52.0';
const mistral = '@mistralai/mistralai 2.7.0';
/** The vendor has none of its own on npm. */
const xai = "@ai-sdk/xai 5.0.12 (Vercel's)";

export const proofs: Readonly<Record<string, ProviderProof>> = {
  openai: {
    chat: held(openai, ...whole),
    completion: held(openai, ...whole),
    embedding: held(openai, ...both),
    image: held(openai, ...both, 'edits with several pictures and a mask'),
    speech: held(openai, 'requests', 'sound'),
    transcription: held(openai, ...both, 'words and segments'),
    translation: held(openai, ...both),
    video: held(openai, 'submit, from a picture too', 'poll', 'fetch', 'cancel'),
  },
  azure: {
    chat: held(azure, 'requests'),
    image: held(azure, ...both),
    speech: held(azure, 'requests', 'sound'),
    transcription: held(azure, ...both, 'words and segments'),
    translation: held(azure, ...both),
  },
  deepseek: { chat: held(openai, ...whole) },
  xai: {
    chat: held(openai, ...whole),
    image: held(xai, ...both, 'edits'),
    speech: held(xai, 'requests', 'sound'),
    video: held(xai, 'submit from a picture', 'poll', 'answers'),
  },
  mistral: {
    chat: held(mistral, 'requests', 'answers', 'streams'),
    embedding: held(mistral, ...both),
    speech: held(mistral, ...both),
    transcription: held(mistral, ...both, 'segments'),
  },
  groq: {
    chat: held(groq, ...whole),
    speech: held(groq, 'requests', 'sound'),
    transcription: held(groq, ...both, 'words and segments'),
    translation: held(groq, ...both),
  },
  together: {
    chat: held(together, ...whole),
    completion: held(together, 'requests'),
    embedding: held(together, ...both),
    image: held(together, ...both),
    speech: held(together, 'requests', 'sound'),
    transcription: held(together, ...both, 'words and segments'),
    translation: held(together, ...both),
  },
  cohere: { embedding: held('cohere-ai 8.1.0', ...both) },
};
