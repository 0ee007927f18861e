/** The model calls a function of yours, and answers with what it returned. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateText, isStepCount, tool } from 'ai';
import { z } from 'zod';

const weather = tool({
  description: 'The weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => `rain in ${city}`,
});
const { text, steps } = await generateText({
  model: indoxhub('openai/gpt-4o-mini'),
  prompt: 'What is the weather in Oslo?',
  tools: { weather },
  stopWhen: isStepCount(3),
});
console.log(steps.length, text);
// prints: 2 The tool said: rain in Oslo
