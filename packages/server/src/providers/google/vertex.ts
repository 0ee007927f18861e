/**
 * Google's models at Vertex AI: the wire of the Gemini API, other paths. The base URL ends at the location
 * (`…/v1/projects/<project>/locations/<location>`), or is the default of express mode, where a key is enough.
 */
import { GatewayError } from '../../contract/errors.ts';
import { one } from '../audio-types.ts';
import { isObject, parseUpstream } from '../exact-json.ts';
import { completionFrom } from '../prompt-as-chat.ts';
import type { CallTarget, ChatCodec, Exchange, Provider, VideoCodec } from '../provider.ts';
import { jobId, planOf, type VideoLimits } from '../video-plans.ts';
import { decodeError } from './errors.ts';
import { imageAt } from './images.ts';
import { chat as geminiChat } from './index.ts';
import { modelPath, type PathOf } from './model.ts';
import { limitsOf, planVideo, videoBody } from './videos.ts';

const vertexPath: PathOf = ({ model }, verb) => `/publishers/google/${modelPath(model)}:${verb}`;

const chat: ChatCodec = {
  ...geminiChat,
  encodeRequest(request, target) {
    const encoded = geminiChat.encodeRequest(request, target);
    return { ...encoded, path: vertexPath(target, encoded.path.slice(encoded.path.lastIndexOf(':') + 1)) };
  },
};

/** Here it is the caller who says whether there is sound. */
function limits(target: CallTarget): VideoLimits {
  const own = limitsOf(target);
  return own.sound === 'always' ? { ...own, sound: 'asked' } : own;
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

async function operationOf(
  id: string,
  target: CallTarget,
  exchange: Exchange,
): Promise<Record<string, unknown>> {
  const { body } = await exchange.send({
    path: vertexPath(target, 'fetchPredictOperation'),
    body: JSON.stringify({ operationName: id }),
  });
  return parseUpstream(body);
}

function videosOf(operation: Record<string, unknown>): Record<string, unknown>[] {
  const { response } = operation;
  const list: unknown = isObject(response) ? response['videos'] : null;
  return Array.isArray(list) ? list.filter(isObject) : [];
}

const video: VideoCodec = {
  plan: (request, target) => planVideo(request, limits(target)),
  async submit(request, target, exchange) {
    const plan = planOf(request, limits(target));
    const sound = limits(target).sound === 'asked' ? { generateAudio: plan.audio } : {};
    const { body } = await exchange.send({
      path: vertexPath(target, 'predictLongRunning'),
      body: videoBody(request, plan, sound),
    });
    const name = jobId(parseUpstream(body)['name']);
    if (name === null) throw new GatewayError('upstream_malformed');
    return name;
  },
  async poll(id, target, exchange) {
    const operation = await operationOf(id, target, exchange);
    if (operation['done'] !== true) return { status: 'pending', progress: null };
    const { error, response } = operation;
    if (isObject(error))
      return { status: 'failed', code: text(error['status']), message: text(error['message']) };
    const files = videosOf(operation).map((_, at) => `${id}#${at}`);
    if (files.length > 0) return { status: 'completed', files, seconds: null };
    const reasons: unknown = isObject(response) ? response['raiMediaFilteredReasons'] : null;
    const reason: unknown = Array.isArray(reasons) ? reasons[0] : null;
    const message = text(reason) ?? 'The provider made no video of this prompt.';
    return { status: 'failed', code: 'filtered', message };
  },
  /** The operation holds its films in base64. */
  async fetch(file, target, exchange) {
    const [id = '', at] = file.split('#');
    const made = videosOf(await operationOf(id, target, exchange))[Number(at)];
    const bytes = Buffer.from(text(made?.['bytesBase64Encoded']) ?? '', 'base64');
    if (bytes.length === 0) throw new GatewayError('upstream_malformed');
    return { headers: { 'content-type': text(made?.['mimeType']) ?? 'video/mp4' }, body: one(bytes) };
  },
  decodeError,
};

const genai = '@google/genai 3.1.0';

export const vertex: Provider = {
  id: 'vertex',
  name: 'Google Vertex AI',
  keyNames: ['VERTEX_API_KEY', 'GOOGLE_VERTEX_API_KEY'],
  baseUrlNames: ['VERTEX_BASE_URL'],
  baseUrl: 'https://aiplatform.googleapis.com/v1',
  auth: { header: 'x-goog-api-key' },
  chat,
  completion: { ...completionFrom(chat, 'Google Vertex AI'), inlineMedia: true },
  image: imageAt(vertexPath),
  video,
  proof: {
    chat: { sdk: genai, covers: ['requests', 'answers'] },
    image: { sdk: genai, covers: ['Gemini and Imagen: requests, answers'] },
    video: { sdk: genai, covers: ['submit with frames', 'poll', 'answers'] },
  },
};
