/** A video: a job of the gateway, waited for. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { experimental_generateVideo as generateVideo } from 'ai';

const { video, providerMetadata } = await generateVideo({
  model: indoxhub.videoModel('openai/sora-2'),
  prompt: 'A fox in the snow',
  duration: 4,
  poll: { intervalMs: 100 },
});
console.log(video.mediaType, providerMetadata['indoxhub']?.['cost']);
// prints: video/mp4 0.4
