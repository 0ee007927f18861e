/** A text continued, without a chat around it. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateText } from 'ai';

const { text } = await generateText({
  model: indoxhub.completion('local/sandbox'),
  prompt: 'Once upon a time',
});
console.log(text);
// prints: Once upon a time
