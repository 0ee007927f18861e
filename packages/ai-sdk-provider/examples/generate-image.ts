/** A picture, and what it cost. */
import { indoxhub } from '@indoxhub/ai-sdk-provider';
import { generateImage } from 'ai';

const { image, providerMetadata } = await generateImage({
  model: indoxhub.imageModel('openai/dall-e-3'),
  prompt: 'A fox in the snow',
  size: '1024x1024',
});
console.log(image.mediaType, 'US$', JSON.stringify(providerMetadata['indoxhub']?.images));
// prints: image/png
// prints: "cost":0.04
