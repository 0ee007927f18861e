/** A text as it comes; the cost is known at its end. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { streamText } from 'ai';

const result = streamText({ model: indoxhub('local/sandbox'), prompt: 'echo one two three' });
for await (const part of result.textStream) process.stdout.write(part);
const metadata = await result.providerMetadata;
console.log('\nUS$', metadata?.['indoxhub']?.['cost']);
// prints: one two three
// prints: US$ 0
