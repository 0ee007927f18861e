/** All jobs of the account, page by page without seeing it. */
// prints: openai/sora-2
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
await client.videos.create({ model: 'openai/sora-2', prompt: 'A fox runs', duration: 4 });
for await (const job of client.videos.list({ limit: 10 }))
  console.log(job.job_id, `${job.provider}/${job.model}`, job.status);
