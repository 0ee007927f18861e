/** Cancelling a job: it costs nothing. */
// prints: cancelled
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.videos.create({
  model: 'openai/sora-2',
  prompt: 'A fox runs [forever]',
  duration: 4,
});
const { status } = await client.videos.cancel(data.job_id);
console.log(status);
