/** GET /media/{id}/{name}: what a signed link points at, whole or a range of it. */
import { endpoints } from '../../contract/endpoints.ts';
import { GatewayError } from '../../contract/errors.ts';
import type { Gateway } from '../../core/gateway.ts';
import { mount, type App } from '../route.ts';

interface Range {
  readonly start: number;
  readonly end: number;
}

/** null: not a single byte range, so the whole is sent; 'unsatisfiable': a 416. */
function rangeOf(header: string | undefined, bytes: number): Range | null | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return null;
  const [, first = '', last = ''] = match;
  if (first === '') {
    const length = Number(last);
    return length === 0 || bytes === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, bytes - length), end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return null;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}

export function mediaRoutes(app: App, gateway: Gateway): void {
  mount(app, gateway, endpoints.media, async (context) => {
    const { id = '', name = '' } = context.req.param();
    const { expires = '', signature = '' } = context.req.query();
    const media = await gateway.media.open(id, expires, signature);
    // Tampered with, expired, deleted and never there look alike.
    if (media === null || media.fileName !== name)
      throw new GatewayError('not_found', 'There is no such file, or its link has expired.');
    const etag = `"${media.sha256}"`;
    const headers: Record<string, string> = {
      'content-type': media.contentType,
      'accept-ranges': 'bytes',
      etag,
      'cache-control': 'private, max-age=3600',
      'content-disposition': `inline; filename="${media.fileName}"`,
      'content-security-policy': "default-src 'none'; media-src 'self'; img-src 'self'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
    };
    const seen = context.req.header('if-none-match')?.split(/\s*,\s*/) ?? [];
    if (seen.some((each) => each === '*' || each.replace(/^W\//, '') === etag))
      return new Response(null, { status: 304, headers });
    const condition = context.req.header('if-range');
    const asked = condition === undefined || condition === etag ? context.req.header('range') : undefined;
    const range = rangeOf(asked, media.bytes);
    if (range === 'unsatisfiable')
      return new Response(null, {
        status: 416,
        headers: { ...headers, 'content-range': `bytes */${media.bytes}` },
      });
    const { start, end } = range ?? { start: 0, end: media.bytes - 1 };
    headers['content-length'] = String(end - start + 1);
    if (range !== null) headers['content-range'] = `bytes ${start}-${end}/${media.bytes}`;
    const status = range === null ? 200 : 206;
    if (context.req.method === 'HEAD') return new Response(null, { status, headers });
    if (media.bytes === 0) return new Response('', { status, headers });
    const bytes = await gateway.media.read(media, start, end);
    if (bytes === null)
      throw new GatewayError('not_found', 'There is no such file, or its link has expired.');
    return new Response(ReadableStream.from(bytes) as ReadableStream<Uint8Array>, { status, headers });
  });
}
