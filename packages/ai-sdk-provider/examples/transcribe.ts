/** What is said, with times. Here the sound is a second of silence. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { transcribe } from 'ai';

const wav = Buffer.alloc(44 + 16_000);
wav.write('RIFF');
wav.writeUInt32LE(wav.length - 8, 4);
wav.write('WAVEfmt ', 8);
wav.writeUInt32LE(16, 16);
wav.writeUInt32LE(0x0001_0001, 20);
wav.writeUInt32LE(8_000, 24);
wav.writeUInt32LE(16_000, 28);
wav.writeUInt32LE(0x0010_0002, 32);
wav.write('data', 36);
wav.writeUInt32LE(16_000, 40);

const { text, language, segments } = await transcribe({
  model: indoxhub.transcriptionModel('openai/whisper-1'),
  audio: wav,
  timestampGranularities: ['segment'],
});
console.log(language, text, segments[0]?.endSecond);
// prints: en Hello there. General Kenobi. 1.5
