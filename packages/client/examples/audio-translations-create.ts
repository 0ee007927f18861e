/** Speech of any language as English text. */
// prints: cost
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.audio.speech.create({ input: 'hello world', response_format: 'wav' });
const translated = await client.audio.translations.create({ file: fetch(data.audio_url) });
console.log(translated.text, '| cost', translated.usage.cost);
