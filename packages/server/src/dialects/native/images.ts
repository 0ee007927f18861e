/** `/api/v1/images/generations`: the native envelope; `data` is a list of links or base64. */
import type { SettledFacts } from '../../contract/answer.ts';
import { imageBody } from '../../contract/bodies.ts';
import type { ImageRequest } from '../../contract/media.ts';
import { decodeImage } from '../decode-image.ts';
import type { WrittenImage } from '../dialect.ts';
import { envelope } from './envelope.ts';

export const decodeNativeImage = (body: Buffer): ImageRequest => decodeImage(body, imageBody);

export function encodeNativeImages(images: readonly WrittenImage[], facts: SettledFacts): string {
  return JSON.stringify(
    envelope(
      facts,
      images.map((image, index) => ({ ...image, index })),
    ),
  );
}
