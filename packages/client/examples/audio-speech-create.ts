/** Text to speech: a link to the sound. */
// prints: /media/
// prints: audio/mpeg
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.audio.speech.create({
  model: 'local/flite',
  input: 'Hello there.',
  voice: 'slt',
});
console.log(data.audio_url);
console.log(data.content_type, data.file_size);
