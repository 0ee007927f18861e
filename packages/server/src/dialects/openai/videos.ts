/** `/v1/videos`: OpenAI's shape of a video job. */
import { openaiVideoBody } from '../../contract/bodies.ts';
import type { JsonObject } from '../../contract/chat.ts';
import { decodeJsonVideo, decodeVideo, type DecodedVideo } from '../decode-video.ts';
import type { WrittenVideo } from '../dialect.ts';

export const decodeOpenaiVideo = (body: Buffer): DecodedVideo => decodeJsonVideo(body, openaiVideoBody);

/** A form: its fields, and the reference picture as a data: URL. */
export function decodeOpenaiVideoForm(
  fields: ReadonlyMap<string, readonly string[]>,
  reference: string | null,
): DecodedVideo {
  const body: JsonObject = {};
  for (const [name, [value = '']] of fields) if (name !== '__proto__' && value !== '') body[name] = value;
  if (typeof body['n'] === 'string') body['n'] = Number(body['n']);
  if (reference !== null) body['input_reference'] = reference;
  return decodeVideo(body, openaiVideoBody);
}

const statuses: Readonly<Record<string, string>> = { processing: 'in_progress', cancelled: 'failed' };

export function openaiVideo(video: WrittenVideo): JsonObject {
  const { status, error } = video;
  const cancelled = status === 'cancelled' ? { code: 'cancelled', message: 'The job was cancelled.' } : null;
  return {
    id: video.id,
    object: 'video',
    created_at: Math.floor(video.createdAtMs / 1000),
    completed_at:
      status === 'completed' && video.finishedAtMs !== null ? Math.floor(video.finishedAtMs / 1000) : null,
    expires_at: video.expiresAtMs === null ? null : Math.floor(video.expiresAtMs / 1000),
    status: statuses[status] ?? status,
    progress: video.progress,
    model: video.model,
    prompt: video.prompt,
    seconds: video.seconds === null ? null : String(video.seconds),
    size: video.size,
    error: error === null ? cancelled : error,
    remixed_from_video_id: null,
    provider: video.provider,
  };
}
