import { describe, expect, it } from 'vitest';
import { byName } from './own-servers.ts';

describe('what a name says', () => {
  it.each([
    ['llama3.2:latest', ['chat', 'completion']],
    ['Qwen/Qwen3-8B-GGUF', ['chat', 'completion']],
    ['deepseek-r1:14b', ['chat', 'completion']],
    ['barking-dog-7b', ['chat', 'completion']],
    ['nomic-embed-text:latest', ['embedding']],
    ['BAAI/bge-m3', ['embedding']],
    ['intfloat/e5-mistral-7b-instruct', ['embedding']],
    ['Qwen/Qwen3-Embedding-0.6B', ['embedding']],
    ['BAAI/bge-reranker-v2-m3', []],
    ['openai/whisper-large-v3-turbo', ['stt']],
    ['Systran/faster-whisper-small', ['stt']],
    ['nvidia/parakeet-tdt-0.6b-v2', ['stt']],
    ['speaches-ai/Kokoro-82M-v1.0-ONNX', ['tts']],
    ['Qwen3-TTS-12Hz', ['tts']],
    ['stabilityai/stable-diffusion-xl-base-1.0', ['image']],
    ['black-forest-labs/FLUX.1-dev', ['image']],
    ['Qwen/Qwen-Image', ['image']],
  ])('%s: %j', (name, capabilities) => {
    expect(byName(name)).toEqual({ id: name, capabilities, told: false, contextWindow: null });
  });
});
