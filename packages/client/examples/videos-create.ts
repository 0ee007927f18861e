/** A video job, taken on. */
// prints: queued
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data } = await client.videos.create({ model: 'openai/sora-2', prompt: 'A fox runs', duration: 4 });
console.log(data.job_id, data.status, 'about US$', data.estimated_cost);
