/** What the gateway says when it refuses, and whether the AI SDK tried again. */
import { createIndoxHub } from '@indoxhub/ai-sdk-provider';
import { APICallError, generateText } from 'ai';

const indoxhub = createIndoxHub();
try {
  await generateText({
    model: indoxhub('openai/gpt-4o-mini'),
    prompt: 'Hello',
    providerOptions: { indoxhub: { max_cost: '0.00000001' } },
  });
} catch (error) {
  if (!APICallError.isInstance(error)) throw error;
  console.log(error.statusCode, error.isRetryable, error.message);
}
// prints: 402 false
