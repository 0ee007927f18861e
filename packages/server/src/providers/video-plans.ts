/** What a vendor's videos may be: lengths, resolutions, ratios; a request is brought to one of them or refused. */
import { badField } from '../contract/errors.ts';
import type { VideoPlan, VideoRequest } from '../contract/media.ts';
import { pixelsOf } from './image-sizes.ts';

export interface VideoLimits {
  /** Seconds it can make; the first is made when nobody says. */
  readonly seconds: readonly number[];
  /** The first is made when nobody says. */
  readonly resolutions: readonly string[];
  /** Videos a request. */
  readonly most: number;
  /** It makes sound: always, never, or as asked. */
  readonly sound: 'always' | 'never' | 'asked';
}

/** Lines of a size: 1280x720 and 720x1280 are both 720p. */
function linesOf(size: string | null): string | null {
  const pixels = pixelsOf(size);
  return pixels === null ? null : `${Math.min(pixels.width, pixels.height)}p`;
}

/** Throws a 400 that names the field. */
export function planOf(request: VideoRequest, limits: VideoLimits): VideoPlan {
  const seconds = request.seconds ?? limits.seconds[0] ?? 0;
  if (!limits.seconds.includes(seconds))
    throw badField(
      request.secondsField,
      `Invalid value for '${request.secondsField}': this model makes ${limits.seconds.toSorted((a, b) => a - b).join(', ')} seconds`,
    );
  const wanted = request.resolution ?? linesOf(request.size);
  const resolution = wanted ?? limits.resolutions[0] ?? '';
  if (!limits.resolutions.includes(resolution))
    throw badField(
      request.resolution === null ? 'size' : 'resolution',
      `This model makes ${limits.resolutions.join(', ')}, not ${resolution}`,
    );
  if (request.n > limits.most)
    throw badField('n', `Invalid value for 'n': this model makes at most ${limits.most} at a time`);
  if (request.audio === true && limits.sound === 'never')
    throw badField('generate_audio', "Invalid value for 'generate_audio': this model makes no sound");
  const audio = limits.sound === 'always' || (limits.sound === 'asked' && request.audio !== false);
  return { seconds, n: request.n, resolution, audio };
}

/** Seconds from 1 up to `most`, with the usual one first. */
export const upTo = (most: number, usual: number, least = 1): number[] => [
  usual,
  ...Array.from({ length: most - least + 1 }, (_, at) => at + least).filter((each) => each !== usual),
];

/** The media type and bytes of a data: URL; null for a link. */
export function inlinePicture(url: string): { readonly contentType: string; readonly base64: string } | null {
  const match = /^data:(image\/[\w.+-]+);base64,(.*)$/s.exec(url);
  return match === null ? null : { contentType: match[1] ?? 'image/png', base64: match[2] ?? '' };
}

const idPattern = /^[\w.:/-]{1,400}$/;

/** A vendor's id, fit for a path. Throws `upstream_malformed`. */
export function jobId(value: unknown): string | null {
  return typeof value === 'string' && idPattern.test(value) && !value.includes('..') ? value : null;
}
