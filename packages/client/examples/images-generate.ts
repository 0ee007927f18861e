/** A picture. */
// prints: /media/
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data, usage } = await client.images.generate({
  model: 'local/canvas',
  prompt: 'A fox in the snow',
  size: '128x128',
  response_format: 'url',
});
console.log(data[0]?.url, usage.cost);
