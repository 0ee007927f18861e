/** Text to speech: the sound itself. */
// prints: RIFF
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const sound = await client.audio.speech.bytes({
  model: 'local/flite',
  input: 'Hello there.',
  response_format: 'wav',
});
const bytes = Buffer.from(await sound.arrayBuffer());
console.log(bytes.subarray(0, 4).toString(), bytes.length);
