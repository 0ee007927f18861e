/** Chat as a stream: its text as it comes. */
// prints: one two three
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: 'echo one two three' }],
  stream: true,
});
for await (const text of stream.textStream) process.stdout.write(text);
process.stdout.write('\n');
