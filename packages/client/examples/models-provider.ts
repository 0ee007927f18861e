/** One provider, its models by kind. */
// prints: [ 'use-lite' ]
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { embeddings } = await client.models.provider('local');
console.log(embeddings.map(({ id }) => id));
