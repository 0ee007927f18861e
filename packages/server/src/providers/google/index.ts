/** Google's Gemini API. */
import { completionFrom } from '../prompt-as-chat.ts';
import type { ChatCodec, Provider } from '../provider.ts';
import { decodeAnswer } from './answer.ts';
import { decodeError } from './errors.ts';
import { embedding } from './embeddings.ts';
import { encodeRequest } from './request.ts';
import { imageAt } from './images.ts';
import { geminiPath } from './model.ts';
import { speech } from './speech.ts';
import { video } from './videos.ts';
import { transcription } from './transcriptions.ts';
import { createStreamDecoder } from './stream.ts';

export const chat: ChatCodec = {
  wire: 'google-generate',
  inlineMedia: true,
  encodeRequest,
  decodeAnswer,
  createStreamDecoder,
  decodeError: (status, body) => decodeError(status, body),
};

const genai = '@google/genai 3.1.0';

export const google: Provider = {
  id: 'google',
  name: 'Google Gemini',
  keyNames: ['GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY', 'GOOGLE_API_KEY'],
  baseUrlNames: ['GEMINI_BASE_URL', 'GOOGLE_BASE_URL'],
  // Without /v1beta, as the vendor's SDKs take their base URL.
  baseUrl: 'https://generativelanguage.googleapis.com',
  auth: { header: 'x-goog-api-key' },
  chat,
  completion: { ...completionFrom(chat, 'Google Gemini'), inlineMedia: true },
  embedding,
  image: imageAt(geminiPath),
  speech,
  transcription,
  video,
  proof: {
    chat: {
      sdk: genai,
      covers: [
        'request path, headers and body',
        'contents, system instruction, media, function calls and results, thought signatures, thinking, JSON by schema',
        'answers and streams: text, function calls, thoughts, images, blocked prompts, usage',
        'errors by status and inside a stream',
      ],
    },
    embedding: { sdk: genai, covers: ['requests', 'answers'] },
    image: {
      sdk: genai,
      covers: [
        'Gemini: requests, edits, answers',
        'Imagen: body and answers (the SDK knows it at Vertex only)',
      ],
    },
    speech: { sdk: genai, covers: ['requests', 'sound'] },
    transcription: { sdk: genai, covers: ['requests', 'answers', 'words of gemini-3.5-transcribe'] },
    video: { sdk: "@ai-sdk/google 4.0.121 (Vercel's)", covers: ['submit with frames', 'poll', 'answers'] },
  },
};
