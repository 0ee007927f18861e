/** A text, its tokens and its cost. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateText } from 'ai';

const { text, usage, providerMetadata } = await generateText({
  model: indoxhub('local/sandbox'),
  prompt: 'What is 2 + 3 * 4?',
});
console.log(text, usage.totalTokens, 'tokens, US$', providerMetadata?.['indoxhub']?.['cost']);
// prints: 2 + 3 * 4 = 14
// prints: US$ 0
