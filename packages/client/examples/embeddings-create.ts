/** Embeddings: which texts mean the same? */
// prints: 512 numbers each
// prints: cat and kitten are closer: true
import { IndoxHub } from '@indoxhub/client';

const client = new IndoxHub();
const { data, dimensions } = await client.embeddings.create({
  model: 'local/use-lite',
  text: ['A cat sleeps on the sofa.', 'A kitten naps on the couch.', 'The market fell sharply.'],
});
const [cat = [], kitten = [], market = []] = data;
const dot = (a: number[], b: number[]): number => a.reduce((sum, each, at) => sum + each * (b[at] ?? 0), 0);
console.log(dimensions, 'numbers each');
console.log('cat and kitten are closer:', dot(cat, kitten) > dot(cat, market));
