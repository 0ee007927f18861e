/** Both in one: the finished video. */
// prints: /media/
// prints: US$ 0.4
import { IndoxHub, VideoJobError } from '@indoxhub/client';

const client = new IndoxHub();
try {
  const job = await client.videos.createAndWait({
    model: 'openai/sora-2',
    prompt: 'A fox runs',
    duration: 4,
  });
  console.log(job.result?.url);
  console.log('US$', job.cost);
} catch (error) {
  if (error instanceof VideoJobError) console.log(error.job.status, error.job.error);
  else throw error;
}
