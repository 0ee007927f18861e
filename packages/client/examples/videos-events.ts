/** Every change of a job, as an iterator. */
// prints: queued
// prints: completed
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.videos.create({ model: 'openai/sora-2', prompt: 'A fox runs', duration: 4 });
for await (const { status, progress } of client.videos.events(data.job_id)) console.log(status, progress);
