/** Waiting for a job, with its progress, at most ten minutes. */
// prints: completed 100 %
// prints: /media/
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.videos.create({ model: 'openai/sora-2', prompt: 'A fox runs', duration: 4 });
const job = await client.videos.wait(data.job_id, {
  maxWait: 600_000,
  onProgress: ({ status, progress }) => console.log(status, progress, '%'),
});
console.log(job.result?.url);
