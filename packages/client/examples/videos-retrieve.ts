/** A video job as it is now. */
// prints: %
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.videos.create({ model: 'openai/sora-2', prompt: 'A fox runs', duration: 4 });
const { status, progress } = await client.videos.retrieve(data.job_id);
console.log(status, progress, '%');
