/** The most used models of this gateway. */
// prints: 1 local/sandbox
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
await client.chat([{ role: 'user', content: 'echo hi' }], { model: 'local/sandbox' });
for (const { rank, id, total_requests } of await client.models.trending({ days: 7, limit: 3 }))
  console.log(rank, id, total_requests);
