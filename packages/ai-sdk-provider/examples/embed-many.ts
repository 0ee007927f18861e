/** A vector for each text. A long list is one call: the gateway sends it to the provider in pieces. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { embedMany } from 'ai';

const { embeddings, usage } = await embedMany({
  model: indoxhub.embeddingModel('openai/text-embedding-3-small'),
  values: ['A cat sleeps.', 'A kitten naps.'],
});
console.log(embeddings.length, 'vectors,', usage.tokens, 'tokens');
// prints: 2 vectors, 6 tokens
