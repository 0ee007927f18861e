/** Stopping a stream at the provider: what was delivered is charged, and told. */
// prints: stopped: true
// prints: finished: cancelled
// prints: output tokens:
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: '[[sandbox:slow 200]] echo a b c d e f g h' }],
  stream: true,
});
let pieces = 0;
for await (const event of stream) {
  if (event.type === 'content' && ++pieces === 2) console.log('stopped:', await stream.stop());
  if (event.type === 'finish') console.log('finished:', event.finish_reason);
  if (event.type === 'usage_final') console.log('output tokens:', event.output_tokens);
}
