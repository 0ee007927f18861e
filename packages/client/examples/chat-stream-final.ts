/** A stream put together at its end. */
// prints: one two stop
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: 'echo one two' }],
  stream: true,
});
const { text, finishReason, usage } = await stream.final();
console.log(text, finishReason, usage?.output_tokens);
