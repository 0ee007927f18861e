/** One model: limits, prices, capabilities. */
// prints: GPT-4o mini
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const model = await client.models.retrieve('openai/gpt-4o-mini');
console.log(model.name, model.context_window, model.pricing, model.capabilities);
