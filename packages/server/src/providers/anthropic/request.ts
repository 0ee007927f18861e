/**
 * The canonical request → POST /v1/messages.
 *
 * | OpenAI's parameter | here |
 * |---|---|
 * | messages | system, messages |
 * | max_tokens, max_completion_tokens | max_tokens: the bound the gateway admits, never more |
 * | temperature | same, above 1 a 400; left out where the model refuses it, while it thinks, or beside top_p |
 * | top_p | same; left out where it changes nothing (1) or the model refuses it |
 * | stop | stop_sequences |
 * | tools, tool_choice, parallel_tool_calls | tools, tool_choice |
 * | response_format json_schema | output_config.format; json_object a 400 |
 * | reasoning_effort | thinking, output_config.effort |
 * | user | metadata.user_id |
 * | betas | header anthropic-beta |
 * | frequency_penalty, presence_penalty, seed, store, … | left out: clients send them by default |
 * | speed, inference_geo other than the ordinary | a 400: they cost more than the catalogue says |
 * | n > 1, logprobs, logit_bias, audio, functions, web_search_options | a 400 naming it |
 * | anything else (top_k, thinking, container, mcp_servers, …) | as it is |
 */
import type { ChatRequest, JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import { stopList, unsupported } from '../openai-messages.ts';
import type { CallTarget, EncodedRequest } from '../provider.ts';
import { encodeMessages } from './messages.ts';
import { outputBound, refusesSampling, takesOneSampler } from './model.ts';
import { encodeThinking } from './thinking.ts';
import { encodeTools } from './tools.ts';

const vendor = 'Anthropic';

/** Translated below, or without a meaning here and without harm when left out. */
const notSent = new Set([
  'messages',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  'reasoning',
  'thinking',
  'output_config',
  'user',
  'metadata',
  'service_tier',
  'betas',
  'anthropic_beta',
  'stream',
  'n',
  'logprobs',
  'modalities',
  'logit_bias',
  'frequency_penalty',
  'presence_penalty',
  'seed',
  'store',
  'verbosity',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
]);

function refuse(params: JsonObject): void {
  const { n, logit_bias: bias, modalities } = params;
  if (typeof n === 'number' && n > 1) throw unsupported('n', vendor, 'Send n calls instead.');
  if (params['logprobs'] === true) throw unsupported('logprobs', vendor);
  if (isObject(bias) && Object.keys(bias).length > 0) throw unsupported('logit_bias', vendor);
  if (Array.isArray(modalities) && modalities.some((each) => each !== 'text')) {
    throw unsupported('modalities', vendor, 'It answers in text.');
  }
  for (const [name, ordinary] of [
    ['speed', 'standard'],
    ['inference_geo', 'global'],
  ] as const) {
    if (params[name] !== undefined && params[name] !== ordinary) {
      throw badField(
        name,
        `Invalid value for '${name}': only ${ordinary} has a price that the gateway knows`,
      );
    }
  }
  for (const name of ['top_logprobs', 'audio', 'web_search_options']) {
    if (params[name] !== undefined) throw unsupported(name, vendor);
  }
  for (const name of ['functions', 'function_call']) {
    if (params[name] !== undefined) throw unsupported(name, vendor, "Send 'tools' instead.");
  }
}

/** What is left of temperature and top_p for this model. */
function sampling(params: JsonObject, target: CallTarget, thinks: boolean): JsonObject {
  const { temperature, top_p: topP } = params;
  if (typeof temperature === 'number' && temperature > 1) {
    throw badField('temperature', "Invalid value for 'temperature': Anthropic takes 0 to 1");
  }
  if (refusesSampling(target)) return {};
  const hasTopP = topP !== undefined && topP !== 1;
  const hasTemperature = temperature !== undefined && !thinks && !(hasTopP && takesOneSampler(target));
  return { ...(hasTemperature ? { temperature } : {}), ...(hasTopP ? { top_p: topP } : {}) };
}

function outputFormat(format: unknown): JsonObject | null {
  if (!isObject(format) || format['type'] === 'text') return null;
  const inner = isObject(format['json_schema']) ? format['json_schema'] : format;
  if (format['type'] === 'json_schema' && isObject(inner['schema'])) {
    return { type: 'json_schema', schema: inner['schema'] };
  }
  throw badField(
    'response_format',
    "Invalid value for 'response_format': Anthropic answers in JSON only by a schema; send type json_schema",
  );
}

function outputConfig(params: JsonObject, effort: string | null): JsonObject {
  const format = outputFormat(params['response_format']);
  const config = {
    ...(effort === null ? {} : { effort }),
    ...(format === null ? {} : { format }),
    ...(isObject(params['output_config']) ? params['output_config'] : {}),
  };
  return Object.keys(config).length === 0 ? {} : { output_config: config };
}

/** OpenAI's metadata are labels of its own store: only the user's id has a place here. */
function metadata(params: JsonObject): JsonObject {
  const given = isObject(params['metadata']) ? params['metadata']['user_id'] : undefined;
  const id = given ?? params['user'];
  return typeof id === 'string' && id !== '' ? { metadata: { user_id: id } } : {};
}

function serviceTier(tier: unknown): JsonObject {
  if (tier === undefined) return {};
  if (tier === 'auto' || tier === 'standard_only') return { service_tier: tier };
  if (tier === 'default') return { service_tier: 'standard_only' };
  throw badField('service_tier', "Invalid value for 'service_tier': Anthropic takes auto or standard_only");
}

function betaHeader(params: JsonObject): Record<string, string> {
  const asked = params['betas'] ?? params['anthropic_beta'];
  const names = (Array.isArray(asked) ? asked : asked === undefined ? [] : [asked]).map(String);
  if (names.some((name) => !/^[\w.,-]+$/.test(name))) {
    throw badField('betas', "Invalid value for 'betas': must be names of betas");
  }
  return names.length === 0 ? {} : { 'anthropic-beta': names.join(',') };
}

/** Throws a 400 naming what Anthropic cannot do. */
export function encodeRequest(request: ChatRequest, target: CallTarget): EncodedRequest {
  const { params } = request;
  refuse(params);
  const { system, messages, unthoughtTools } = encodeMessages(request);
  const { members: tools, forced } = encodeTools(params, target);
  const { thinking, effort } = encodeThinking(params, target, forced || unthoughtTools);
  const thinks = thinking !== null && thinking['type'] !== 'disabled';
  const stop = stopList(params['stop']);
  const body: JsonObject = { model: target.model, max_tokens: outputBound(target) };
  if (system !== null) body['system'] = system;
  body['messages'] = messages;
  Object.assign(body, tools, thinking === null ? {} : { thinking }, sampling(params, target, thinks));
  if (stop.length > 0) body['stop_sequences'] = stop;
  Object.assign(body, outputConfig(params, effort), metadata(params), serviceTier(params['service_tier']));
  for (const name in params) if (!notSent.has(name) && !(name in body)) body[name] = params[name];
  if (request.stream) body['stream'] = true;
  return { path: '/v1/messages', headers: betaHeader(params), body: JSON.stringify(body) };
}
