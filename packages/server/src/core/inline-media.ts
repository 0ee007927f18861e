/** For vendors that do not fetch pictures: links in messages become data: URLs, fetched through the address guard. */
import type { ChatRequest, JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import type { Gateway } from './gateway.ts';
import type { Resolved } from './models.ts';

const maxImages = 8;
const maxImageBytes = 10 * 1024 * 1024;

/** Where a part keeps its link: `image_url.url`, or `image.url`. */
function linkOf(part: unknown): { holder: 'image_url' | 'image'; url: string } | null {
  if (typeof part !== 'object' || part === null) return null;
  for (const holder of ['image_url', 'image'] as const) {
    const value = (part as JsonObject)[holder];
    const url = typeof value === 'object' && value !== null ? (value as JsonObject)['url'] : value;
    if (typeof url === 'string' && /^https?:/i.test(url)) return { holder, url };
  }
  return null;
}

/** Whether a vendor that may serve the call cannot fetch and the messages hold parts at all. */
export function hasLinks(request: ChatRequest, resolved: Resolved): boolean {
  const { messages } = request.params;
  return (
    resolved.targets.some(({ vendor }) => vendor.chat?.inlineMedia === true) &&
    Array.isArray(messages) &&
    (messages as JsonObject[]).some(({ content }) => Array.isArray(content))
  );
}

/** The request itself when there is nothing to fetch. Throws a 400 naming the part. */
export async function inlineMedia(gateway: Gateway, request: ChatRequest): Promise<ChatRequest> {
  const { messages } = request.params;
  let fetched = 0;
  const inlined: unknown[] = [];
  for (const [at, message] of (messages as JsonObject[]).entries()) {
    const { content } = message;
    if (!Array.isArray(content)) {
      inlined.push(message);
      continue;
    }
    const parts: unknown[] = [];
    for (const [index, part] of content.entries()) {
      const link = linkOf(part);
      if (link === null) {
        parts.push(part);
        continue;
      }
      const param = `messages[${at}].content[${index}].${link.holder}.url`;
      if (++fetched > maxImages) throw badField(param, `A request may link at most ${maxImages} images.`);
      const { contentType, body } = await gateway.transport.fetchUrl(link.url, param, maxImageBytes);
      const type = contentType.split(';', 1)[0]?.trim() ?? '';
      if (!/^(image|audio|video|application\/pdf)/.test(type))
        throw badField(param, `The URL in '${param}' is not an image.`);
      parts.push({ type: 'image_url', image_url: { url: `data:${type};base64,${body.toString('base64')}` } });
    }
    inlined.push({ ...message, content: parts });
  }
  return fetched === 0
    ? request
    : { ...request, params: { ...request.params, messages: inlined }, raw: null };
}
