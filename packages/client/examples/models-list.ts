/** Every provider with its models. Needs no key. */
// prints: local 6 models
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
for (const provider of await client.models.list())
  if (provider.available) console.log(provider.id, provider.models.length, 'models');
