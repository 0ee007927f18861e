/** An answer of a shape of yours. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateText, Output } from 'ai';
import { z } from 'zod';

const { output } = await generateText({
  model: indoxhub('openai/gpt-4o-mini'),
  prompt: 'Which city is the capital of Norway?',
  output: Output.object({ schema: z.object({ city: z.string() }) }),
});
console.log(output.city);
// prints: Oslo
