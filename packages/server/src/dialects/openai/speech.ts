/** `/v1/audio/speech`: JSON in, the sound's bytes out. */
import { openaiSpeechBody } from '../../contract/bodies.ts';
import type { SpeechRequest } from '../../contract/media.ts';
import { decodeSpeech } from '../decode-speech.ts';

export const decodeOpenaiSpeech = (body: Buffer): SpeechRequest => decodeSpeech(body, openaiSpeechBody);
