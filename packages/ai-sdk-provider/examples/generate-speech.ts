/** A text spoken, and what it cost. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateSpeech } from 'ai';

const { audio, providerMetadata } = await generateSpeech({
  model: indoxhub.speechModel('openai/tts-1'),
  text: 'Hello there.',
  voice: 'nova',
});
console.log(audio.format, audio.uint8Array.length > 1000, providerMetadata['indoxhub']?.['cost']);
// prints: mp3 true 0.00018
