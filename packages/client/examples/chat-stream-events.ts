/** Every event of a stream: text, reasoning, tool calls, usage and cost. */
// prints: thinking:
// prints: said: hello
// prints: finished: stop
// prints: US$ 0
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const stream = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: '[[sandbox:think]] echo hello' }],
  stream: true,
});
for await (const event of stream) {
  if (event.type === 'reasoning') console.log('thinking:', event.reasoning);
  else if (event.type === 'content') console.log('said:', event.data);
  else if (event.type === 'tool_calls') console.log('calls:', event.choices[0]?.delta.tool_calls);
  else if (event.type === 'finish') console.log('finished:', event.finish_reason);
  else if (event.type === 'usage_final') console.log('US$', event.cost_usd);
}
