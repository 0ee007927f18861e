/**
 * The canonical request → POST /v1beta/models/{model}:generateContent, or :streamGenerateContent. v1, the SDK's default
 * since 3.0, lacks the `-latest` names and some previews; the setting `api_version` chooses it.
 *
 * | OpenAI's parameter | here |
 * |---|---|
 * | messages | systemInstruction, contents |
 * | max_tokens, max_completion_tokens | generationConfig.maxOutputTokens: the bound the gateway admits, never more |
 * | temperature, top_p, top_k, seed, stop, n | generationConfig temperature, topP, topK, seed, stopSequences, candidateCount |
 * | frequency_penalty, presence_penalty | the same, where not 0 (newer models refuse them) |
 * | logprobs, top_logprobs | responseLogprobs, logprobs |
 * | response_format | responseMimeType, responseJsonSchema |
 * | reasoning_effort, thinking, thinking_config | thinkingConfig |
 * | modalities | responseModalities; audio a 400 |
 * | tools, tool_choice | tools, toolConfig |
 * | user, metadata, store, service_tier, parallel_tool_calls, … | left out: no such thing here |
 * | logit_bias, audio, functions, web_search_options | a 400 naming it |
 * | anything else (safetySettings, cachedContent, …; snake_case as well) | as it is |
 */
import type { ChatRequest, JsonObject } from '../../contract/chat.ts';
import { isObject } from '../exact-json.ts';
import { stopList, unsupported } from '../openai-messages.ts';
import { noHeaders, type CallTarget, type EncodedRequest } from '../provider.ts';
import { encodeContents } from './contents.ts';
import { modelPath } from './model.ts';
import { camelKeys, encodeThinking } from './thinking.ts';
import { encodeTools } from './tools.ts';

const vendor = 'Google';

/** Translated below, or without a meaning here and without harm when left out. */
const notSent = new Set([
  'messages',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'topK',
  'seed',
  'stop',
  'n',
  'frequency_penalty',
  'presence_penalty',
  'logprobs',
  'top_logprobs',
  'response_format',
  'modalities',
  'reasoning_effort',
  'reasoning',
  'thinking',
  'thinking_config',
  'thinkingConfig',
  'extra_body',
  'google',
  'generation_config',
  'generationConfig',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'logit_bias',
  'user',
  'metadata',
  'store',
  'service_tier',
  'serviceTier',
  'verbosity',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
]);

/** Members of the body and of generationConfig that callers may give in either spelling. */
const configMembers = new Set(['imageConfig', 'mediaResolution', 'speechConfig', 'responseModalities']);

function refuse(params: JsonObject): void {
  const { logit_bias: bias, modalities } = params;
  if (isObject(bias) && Object.keys(bias).length > 0) throw unsupported('logit_bias', vendor);
  if (Array.isArray(modalities) && modalities.includes('audio')) {
    throw unsupported('modalities', vendor, 'Chat answers hold text and images.');
  }
  if (params['audio'] !== undefined) throw unsupported('audio', vendor);
  if (params['web_search_options'] !== undefined) {
    throw unsupported('web_search_options', vendor, 'Send the tool {"type": "google_search"} instead.');
  }
  for (const name of ['functions', 'function_call']) {
    if (params[name] !== undefined) throw unsupported(name, vendor, "Send 'tools' instead.");
  }
}

function responseFormat(format: unknown): JsonObject {
  if (!isObject(format) || format['type'] === 'text') return {};
  const json = { responseMimeType: 'application/json' };
  if (format['type'] === 'json_object') return json;
  const inner = isObject(format['json_schema']) ? format['json_schema'] : format;
  if (format['type'] === 'json_schema' && isObject(inner['schema'])) {
    return { ...json, responseJsonSchema: inner['schema'] };
  }
  throw unsupported('response_format', vendor, 'Send type text, json_object or json_schema with a schema.');
}

/** The caller's own generationConfig, without what would raise the admitted bound or the number of answers. */
function givenConfig(params: JsonObject): JsonObject {
  const given = params['generationConfig'] ?? params['generation_config'];
  if (!isObject(given)) return {};
  const { maxOutputTokens: _bound, candidateCount: _count, ...rest } = camelKeys(given);
  return rest;
}

function generationConfig(params: JsonObject, target: CallTarget): JsonObject {
  const config: JsonObject = {};
  const set = (name: string, value: unknown): void => {
    if (value !== undefined && value !== null) config[name] = value;
  };
  const refuses = target.info?.temperature === false;
  set('temperature', refuses ? undefined : params['temperature']);
  set('topP', params['top_p']);
  set('topK', params['top_k'] ?? params['topK']);
  if (typeof params['n'] === 'number' && params['n'] > 1) set('candidateCount', params['n']);
  set('maxOutputTokens', target.maxTokens);
  const stop = stopList(params['stop']);
  set('stopSequences', stop.length === 0 ? undefined : stop);
  if (params['logprobs'] === true) {
    set('responseLogprobs', true);
    set('logprobs', params['top_logprobs']);
  }
  set('presencePenalty', params['presence_penalty'] || undefined);
  set('frequencyPenalty', params['frequency_penalty'] || undefined);
  set('seed', params['seed']);
  Object.assign(config, responseFormat(params['response_format']));
  const { modalities } = params;
  if (Array.isArray(modalities))
    set(
      'responseModalities',
      modalities.map((each) => String(each).toUpperCase()),
    );
  set('thinkingConfig', encodeThinking(params, target));
  return config;
}

/** Throws a 400 naming what Google cannot do. */
export function encodeRequest(request: ChatRequest, target: CallTarget): EncodedRequest {
  const { params } = request;
  refuse(params);
  const { systemInstruction, contents } = encodeContents(request, target.model);
  const body: JsonObject = { contents };
  if (systemInstruction !== null) body['systemInstruction'] = systemInstruction;
  Object.assign(body, encodeTools(params));
  const config = { ...givenConfig(params), ...generationConfig(params, target) };
  const extraBody = isObject(params['extra_body']) ? params['extra_body'] : params;
  const google = isObject(extraBody['google']) ? extraBody['google'] : {};
  const { thinking_config: _, ...rest } = google;
  const others = Object.fromEntries(Object.entries(params).filter(([name]) => !notSent.has(name)));
  for (const [name, value] of Object.entries(camelKeys({ ...rest, ...others }))) {
    if (configMembers.has(name)) config[name] ??= value;
    else if (!notSent.has(name)) body[name] ??= value;
  }
  if (Object.keys(config).length > 0) body['generationConfig'] = config;
  const verb = request.stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
  const version = target.options['api_version'] ?? 'v1beta';
  return {
    path: `/${version}/${modelPath(target.model)}:${verb}`,
    headers: noHeaders,
    body: JSON.stringify(body),
  };
}
