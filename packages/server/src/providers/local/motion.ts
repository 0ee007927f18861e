/** `local/motion`: films drawn by code, made inside this process. */
import { badField, GatewayError } from '../../contract/errors.ts';
import type { VideoRequest } from '../../contract/media.ts';
import { pixelsOf, type Pixels } from '../image-sizes.ts';
import type { VideoMaker } from '../provider.ts';
import { planOf, upTo } from '../video-plans.ts';
import { withEngines } from './engines.ts';

const usual: Readonly<Record<string, readonly [long: number, short: number]>> = {
  '360p': [640, 360],
  '480p': [854, 480],
  '720p': [1280, 720],
};
const ratios: readonly string[] = ['16:9', '9:16', '1:1'];
const longest = 1280;
const longestPrompt = 4000;

/** Throws a 400 that names the field. */
function sizeOf({ size, resolution, aspectRatio }: VideoRequest): Pixels {
  const given = pixelsOf(size);
  if (given !== null) {
    for (const side of [given.width, given.height])
      if (side < 64 || side > longest || side % 2 === 1)
        throw badField('size', `Invalid value for 'size': sides must be even, 64 to ${longest} pixels`);
    return given;
  }
  const sides = usual[resolution ?? '360p'];
  if (sides === undefined)
    throw badField('resolution', `This model makes ${Object.keys(usual).join(', ')}, not ${resolution}`);
  if (aspectRatio !== null && !ratios.includes(aspectRatio))
    throw badField('aspect_ratio', `Invalid value for 'aspect_ratio': this model makes ${ratios.join(', ')}`);
  const [long, short] = sides;
  if (aspectRatio === '1:1') return { width: short, height: short };
  return aspectRatio === '9:16' ? { width: short, height: long } : { width: long, height: short };
}

/** It draws from words only. */
function checkWords({ prompt, image, lastFrame, references }: VideoRequest): void {
  const given = { input_image: image, last_frame: lastFrame, reference_images: references[0] ?? null };
  for (const [param, picture] of Object.entries(given))
    if (picture !== null)
      throw badField(param, `Invalid value for '${param}': this model draws from words only`);
  if (prompt.trim() === '' || prompt.length > longestPrompt)
    throw badField('prompt', `Invalid value for 'prompt': must be 1 to ${longestPrompt} characters`);
}

export const videoMaker: VideoMaker = {
  check: () =>
    withEngines(async ({ models }) => {
      if (models.find(({ id }) => id === 'local/motion')?.installed !== true)
        throw new GatewayError(
          'feature_unavailable',
          'This model is not installed here: npm install @indoxhub/local',
        );
    }),
  plan(request) {
    checkWords(request);
    const { width, height } = sizeOf(request);
    const resolution = `${Math.min(width, height)}p`;
    const limits = { seconds: upTo(20, 4), resolutions: [resolution], most: 4, sound: 'never' } as const;
    return planOf({ ...request, size: null, resolution }, limits);
  },
  async make(request, { seconds, n }, signal, onProgress) {
    const { seed: given } = request.params;
    const seed = typeof given === 'number' && Number.isSafeInteger(given) ? given : 0;
    const film = { prompt: request.prompt, ...sizeOf(request), seconds, seed };
    const made: { contentType: string; bytes: Buffer }[] = [];
    for (let index = 0; index < n; index++) {
      const report = (done: number): void => onProgress((100 * (index + done)) / n);
      const { mp4 } = await withEngines((engines) => engines.animate({ ...film, index }, signal, report));
      made.push({ contentType: 'video/mp4', bytes: Buffer.from(mp4) });
    }
    return made;
  },
};
