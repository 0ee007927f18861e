/** Tools: the model asks for a call, we answer, it goes on. */
// prints: weather
// prints: 21
import { IndoxHub, type ChatMessage } from '@indoxhub/client';

const client = new IndoxHub();
const messages: ChatMessage[] = [{ role: 'user', content: 'What is the weather in Paris?' }];
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'weather',
      description: 'The weather in a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];
const first = await client.chat.completions.create({ model: 'local/sandbox', messages, tools });
const asked = first.choices[0]?.message;
for (const call of asked?.tool_calls ?? []) {
  console.log(call.function.name, JSON.parse(call.function.arguments));
  messages.push({ role: 'assistant', content: null, tool_calls: [call] });
  messages.push({ role: 'tool', tool_call_id: call.id, content: '21 °C and sunny' });
}
const second = await client.chat.completions.create({ model: 'local/sandbox', messages, tools });
console.log(second.data);
