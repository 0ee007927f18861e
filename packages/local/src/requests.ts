/** Checks a caller's request and fills in its defaults, before any thread is troubled. */
import { sniff, readableFormats } from './audio/sniff.ts';
import type { DrawingRequest, MotionRequest, SpeechRequest, TranscriptionRequest } from './contract.ts';
import { LocalEngineError, type LocalField } from './errors.ts';
import type { Jobs } from './messages.ts';
import { fliteVoice, voices } from './speech/voices.ts';

export const speechFormats = ['mp3', 'wav', 'pcm'] as const;

const limits = { texts: 2048, textLength: 20_000, speechLength: 10_000, promptLength: 4000 };

/** Of an upload, in bytes: what OpenAI takes. */
const audioLimit = 25 * 1024 * 1024;

export function embeddingsJob(texts: readonly string[]): Jobs['embeddings'] {
  if (!Array.isArray(texts) || texts.length === 0 || texts.length > limits.texts)
    throw invalid('texts', `texts must be 1 to ${limits.texts} strings`);
  for (const text of texts) checkText('texts', text, limits.textLength);
  return { texts };
}

export function speechJob({ text, voice = 'slt', format = 'mp3', speed = 1 }: SpeechRequest): Jobs['speech'] {
  checkText('text', text, limits.speechLength);
  const name = fliteVoice(voice);
  if (name === null)
    throw new LocalEngineError('unknown_voice', `voice must be one of ${voices.join(', ')}`, 'voice');
  const written = speechFormats.find((each) => each === format);
  if (written === undefined)
    throw new LocalEngineError(
      'unsupported_format',
      `local/flite writes ${speechFormats.join(', ')}; it cannot write this format`,
      'format',
    );
  if (!(speed >= 0.25 && speed <= 4)) throw invalid('speed', 'speed must be a number from 0.25 to 4');
  return { text, voice: name, format: written, speed };
}

export function transcriptionJob({ audio, words = false }: TranscriptionRequest): Jobs['transcription'] {
  if (!(audio instanceof Uint8Array)) throw invalid('audio', 'audio must be bytes');
  if (audio.length === 0) throw new LocalEngineError('audio_unreadable', 'the audio is empty', 'audio');
  if (audio.length > audioLimit) throw invalid('audio', 'audio must be at most 25 MB');
  if (sniff(audio) === null)
    throw new LocalEngineError(
      'unsupported_format',
      `local/pocketsphinx reads ${readableFormats.join(', ')}; these bytes are none of them`,
      'audio',
    );
  return { audio, words };
}

export function drawingJob(request: DrawingRequest): Jobs['images'] {
  const { prompt, width = 1024, height = 1024, seed = 0, index = 0 } = request;
  checkText('prompt', prompt, limits.promptLength);
  checkInteger('width', width, 64, 2048);
  checkInteger('height', height, 64, 2048);
  checkInteger('seed', seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  checkInteger('index', index, 0, 1000);
  return { prompt, width, height, seed, index };
}

/** H.264 halves the colours' resolution, so its sides are even. */
export function motionJob(request: MotionRequest): Jobs['videos'] {
  const { prompt, width = 640, height = 360, seconds = 4, seed = 0, index = 0 } = request;
  checkText('prompt', prompt, limits.promptLength);
  for (const [field, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    checkInteger(field, side, 64, 1280);
    if (side % 2 === 1) throw invalid(field, `${field} must be even`);
  }
  checkInteger('seconds', seconds, 1, 20);
  checkInteger('seed', seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  checkInteger('index', index, 0, 1000);
  return { prompt, width, height, seconds, seed, index };
}

function checkText(field: LocalField, text: unknown, limit: number): void {
  if (typeof text !== 'string' || text.trim() === '') throw invalid(field, `${field} must not be empty`);
  if (text.length > limit) throw invalid(field, `${field} must be at most ${limit} characters`);
}

function checkInteger(field: LocalField, value: unknown, least: number, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw invalid(field, `${field} must be a whole number from ${least} to ${most}`);
}

function invalid(field: LocalField, message: string): LocalEngineError {
  return new LocalEngineError('invalid_request', message, field);
}
