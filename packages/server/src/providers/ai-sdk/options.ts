/** A chat body of OpenAI's → the call options of an AI SDK model. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import { promptOf } from './prompt.ts';

/** OpenAI's fields that mean something and have no place there. */
const refused = [
  'logprobs',
  'top_logprobs',
  'logit_bias',
  'modalities',
  'audio',
  'prediction',
  'functions',
  'function_call',
  'web_search_options',
];

const renamed: Readonly<Record<string, string>> = {
  max_tokens: 'maxOutputTokens',
  max_completion_tokens: 'maxOutputTokens',
  temperature: 'temperature',
  top_p: 'topP',
  top_k: 'topK',
  presence_penalty: 'presencePenalty',
  frequency_penalty: 'frequencyPenalty',
  seed: 'seed',
};

const listOf = (value: unknown): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

function toolsOf(tools: unknown): JsonObject[] {
  return listOf(tools).map((tool) => {
    const { function: declared } = tool;
    if (tool['type'] !== 'function' || !isObject(declared))
      throw badField('tools', "Invalid value for 'tools': this provider takes functions only");
    const { name, description, parameters, strict } = declared;
    return {
      type: 'function',
      name,
      ...(description === undefined ? {} : { description }),
      inputSchema: parameters ?? { type: 'object', properties: {} },
      ...(typeof strict === 'boolean' ? { strict } : {}),
    };
  });
}

function choiceOf(choice: unknown): JsonObject {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice };
  const named = isObject(choice) ? choice['function'] : null;
  if (isObject(named)) return { type: 'tool', toolName: named['name'] };
  throw badField(
    'tool_choice',
    "Invalid value for 'tool_choice': must be auto, none, required or a function",
  );
}

function formatOf(format: JsonObject): JsonObject {
  if (format['type'] === 'text') return { type: 'text' };
  const schema = format['json_schema'];
  if (!isObject(schema)) return { type: 'json' };
  const { name, description, schema: shape } = schema;
  return { type: 'json', schema: shape, name, ...(description === undefined ? {} : { description }) };
}

/** Throws a 400 that names the field. */
export function callOptions(body: JsonObject, version: string, abortSignal: AbortSignal): JsonObject {
  for (const name of refused)
    if (body[name] !== undefined && body[name] !== false)
      throw badField(name, `'${name}' is not served by this provider`);
  const options: JsonObject = { prompt: promptOf(body['messages'], version), abortSignal };
  for (const [name, theirs] of Object.entries(renamed))
    if (body[name] !== undefined) options[theirs] = body[name];
  const { stop, tools, tool_choice: choice, response_format: format, reasoning_effort: effort } = body;
  if (stop !== undefined) options['stopSequences'] = Array.isArray(stop) ? stop : [stop];
  if (tools !== undefined) options['tools'] = toolsOf(tools);
  if (choice !== undefined && tools !== undefined) options['toolChoice'] = choiceOf(choice);
  if (isObject(format)) options['responseFormat'] = formatOf(format);
  if (effort !== undefined && version !== 'v3') options['reasoning'] = effort;
  if (isObject(body['provider_options'])) options['providerOptions'] = body['provider_options'];
  return options;
}
