/** Pictures: by the piece, by size and quality, or by the token where a model counts so. */
import { createHash } from 'node:crypto';
import type { SettledFacts } from '../contract/answer.ts';
import { GatewayError } from '../contract/errors.ts';
import type { GeneratedImage, ImageAnswer, ImageRequest } from '../contract/media.ts';
import { noUsage } from '../contract/usage.ts';
import type { WrittenImage } from '../dialects/dialect.ts';
import type { Exchange } from '../providers/provider.ts';
import type { Incoming, Reply } from './call-types.ts';
import type { Gateway } from './gateway.ts';
import { imageType } from './image-type.ts';
import { serveModality, type Used } from './modality.ts';
import type { Resolved } from './models.ts';
import type { Traits } from './unit-prices.ts';

/** Tokens of one picture at most, and of one that goes in, for models that bill pictures so. */
const mostImageTokens = 6_300;
const likelyImageTokens = 4_160;
const mostInputImageTokens = 6_500;

const billsTokens = ({ prices }: Resolved): boolean => prices?.units === null;

/** What a vendor takes for granted where nobody said. */
const traitsOf = (request: ImageRequest, made?: ImageAnswer['made']): Traits => ({
  size: made?.size ?? request.size ?? '1024x1024',
  quality: made?.quality ?? request.quality ?? 'standard',
});

function used(request: ImageRequest, answer: ImageAnswer, resolved: Resolved): Used {
  const quantity = answer.images.length;
  const units = { unit: 'images', quantity } as const;
  const traits = traitsOf(request, answer.made);
  if (answer.usage !== null) return { usage: answer.usage, source: 'provider', units, traits };
  if (!billsTokens(resolved)) return { usage: noUsage, source: 'provider', units, traits };
  const usage = {
    ...noUsage,
    input: Math.ceil(request.prompt.length / 4),
    imageOutput: quantity * likelyImageTokens,
  };
  return { usage, source: 'counted', units, traits };
}

/** Throws GatewayError. */
export function serveImages(
  gateway: Gateway,
  call: Incoming,
  request: ImageRequest,
  fields: string,
  encode: (images: readonly WrittenImage[], answer: ImageAnswer, facts: SettledFacts) => string,
): Promise<Reply | null> {
  return serveModality(gateway, call, {
    request,
    capability: 'image',
    codecOf: (vendor) => vendor.image,
    fingerprint() {
      const hash = createHash('sha256').update(`${call.route}\n${fields}`);
      for (const { bytes } of request.images) hash.update(bytes);
      if (request.mask !== null) hash.update(request.mask.bytes);
      return hash.digest('hex');
    },
    demand: (resolved) => ({
      inputTokens: billsTokens(resolved)
        ? Buffer.byteLength(request.prompt) + 64 + request.images.length * mostInputImageTokens
        : 0,
      outputTokens: billsTokens(resolved) ? request.n * mostImageTokens : 0,
      units: { unit: 'images', quantity: request.n },
      traits: request.size === 'auto' || request.quality === 'auto' ? null : traitsOf(request),
    }),
    used: (answer, resolved) => used(request, answer, resolved),
    async write(answer, facts, exchange) {
      const delivered = await Promise.allSettled(
        answer.images.map((image) => deliver(gateway, call, request, image, exchange)),
      );
      const images: Delivered[] = [];
      for (const each of delivered) if (each.status === 'fulfilled') images.push(each.value);
      const failed = delivered.find((each) => each.status === 'rejected');
      if (failed !== undefined) {
        // All or nothing: those that were stored have no caller.
        for (const { stored } of images)
          if (stored !== null) await gateway.media.remove(stored).catch(() => {});
        throw failed.reason;
      }
      const body = encode(
        images.map(({ image }) => image),
        answer,
        facts,
      );
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    },
  });
}

interface Delivered {
  readonly image: WrittenImage;
  /** Its id in the media store. */
  readonly stored: string | null;
}

/** In the form asked for; where nobody asked, in the form the vendor gave. A vendor's link expires, so it is stored. */
async function deliver(
  gateway: Gateway,
  call: Incoming,
  request: ImageRequest,
  image: GeneratedImage,
  exchange: Pick<Exchange, 'download'>,
): Promise<Delivered> {
  const form = request.responseFormat ?? (image.bytes === undefined ? 'url' : 'b64_json');
  const revised = image.revisedPrompt === null ? {} : { revised_prompt: image.revisedPrompt };
  const { isConfigured } = gateway.media;
  const inline = (written: WrittenImage): Delivered => ({ image: { ...written, ...revised }, stored: null });
  if (form === 'url' && image.url !== undefined && !isConfigured) return inline({ url: image.url });
  const bytes = image.bytes ?? (await exchange.download(image.url)).body;
  const contentType = imageType(bytes);
  if (contentType === null)
    throw new GatewayError('upstream_malformed', 'The provider sent something that is no picture.');
  const base64 = (): string => bytes.toString('base64');
  if (form === 'b64_json') return inline({ b64_json: base64() });
  if (!isConfigured) return inline({ url: `data:${contentType};base64,${base64()}` });
  const accountId = call.credential.account.id;
  const media = await gateway.media.put({ accountId, kind: 'image', contentType, source: bytes });
  return { image: { url: gateway.media.link(media, call.origin), ...revised }, stored: media.id };
}
