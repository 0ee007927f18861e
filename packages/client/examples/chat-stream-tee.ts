/** One stream for two readers, and as a web stream that can be sent on. */
// prints: one two | 6 lines
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: 'echo one two' }],
  stream: true,
});
const [left, right] = stream.tee();
let said = '';
for await (const event of left) if (event.type === 'content') said += event.data;
const lines = await new Response(right.toReadableStream()).text();
console.log(said, '|', lines.trim().split('\n').length, 'lines');
