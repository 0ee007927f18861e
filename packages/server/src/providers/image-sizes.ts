/** Sizes in pixels and the ratios some vendors take instead. */
import { badField } from '../contract/errors.ts';
import type { ImageRequest } from '../contract/media.ts';

/** Ratios of the sizes the reference's clients send; anything else is the nearest of what the vendor has. */
const wellKnown: Readonly<Record<string, string>> = {
  '1024x768': '4:3',
  '768x1024': '3:4',
  '1024x1536': '2:3',
  '1536x1024': '3:2',
  '1792x1024': '16:9',
  '1024x1792': '9:16',
};

export interface Pixels {
  readonly width: number;
  readonly height: number;
}

/** null for `auto` and no size at all. Throws a 400 for what is no size. */
export function pixelsOf(size: string | null): Pixels | null {
  if (size === null || size === 'auto') return null;
  const match = /^(\d{2,5})x(\d{2,5})$/.exec(size);
  if (match === null) throw badField('size', "Invalid value for 'size': must be like 1024x1024, or auto");
  return { width: Number(match[1]), height: Number(match[2]) };
}

const valueOf = (ratio: string): number => {
  const [width = 1, height = 1] = ratio.split(':').map(Number);
  return width / height;
};

/** The ratio asked for, or that of the size, as one the vendor has; null where neither was given. */
export function ratioOf({ aspectRatio, size }: ImageRequest, known: readonly string[]): string | null {
  if (aspectRatio !== null && known.includes(aspectRatio)) return aspectRatio;
  const pixels = pixelsOf(size);
  const wanted =
    aspectRatio ??
    (size === null ? undefined : wellKnown[size]) ??
    (pixels === null ? null : `${pixels.width}:${pixels.height}`);
  if (wanted === null) return null;
  const value = valueOf(wanted);
  const distance = (ratio: string): number => Math.abs(Math.log(valueOf(ratio) / value));
  return known.reduce((best, each) => (distance(each) < distance(best) ? each : best));
}

/** Pixels for a vendor that takes ratios of none; about a megapixel, in steps of 32. */
export function pixelsFor(request: ImageRequest): Pixels | null {
  const pixels = pixelsOf(request.size);
  if (pixels !== null || request.aspectRatio === null) return pixels;
  const value = valueOf(request.aspectRatio);
  const step = (length: number): number => Math.round(length / 32) * 32;
  return { width: step(Math.sqrt(1_048_576 * value)), height: step(Math.sqrt(1_048_576 / value)) };
}
