/** Chat: the whole answer, what it used and what it cost. */
// prints: 2 + 3 * 4 = 14
// prints: cost 0
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const answer = await client.chat.completions.create({
  model: 'local/sandbox',
  messages: [{ role: 'user', content: 'What is 2 + 3 * 4?' }],
});
console.log(answer.data);
console.log('cost', answer.usage.cost, 'tokens', answer.usage.tokens_total);
