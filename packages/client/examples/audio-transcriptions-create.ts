/** Speech to text, of a file with the times of its words. */
// prints: hello world
// prints: seconds
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const path = join(mkdtempSync(join(tmpdir(), 'example-')), 'hello.wav');
const sound = await client.audio.speech.bytes({ input: 'hello world', response_format: 'wav' });
writeFileSync(path, Buffer.from(await sound.arrayBuffer()));

const heard = await client.audio.transcriptions.create({
  file: createReadStream(path),
  model: 'local/pocketsphinx',
  timestamp_granularities: ['word'],
});
console.log(heard.text.toLowerCase());
console.log(heard.usage.seconds, 'seconds', heard.words);
