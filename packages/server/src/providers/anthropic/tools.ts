/** Tools and the choice among them. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import type { CallTarget } from '../provider.ts';
import { takesStrictTools } from './model.ts';

function encodeTool(tool: unknown, param: string, strict: boolean): JsonObject {
  if (!isObject(tool)) throw badField(param, `Invalid value for '${param}': must be a tool`);
  // Anthropic's own tools (web search, code execution, …) pass untouched.
  if (tool['type'] !== 'function') return tool;
  const fn = isObject(tool['function']) ? tool['function'] : tool;
  const name = fn['name'];
  if (typeof name !== 'string' || name === '') {
    throw badField(`${param}.function.name`, `Invalid value for '${param}.function.name': is required`);
  }
  const schema = isObject(fn['parameters']) ? fn['parameters'] : { properties: {} };
  const cache = tool['cache_control'] ?? fn['cache_control'];
  return {
    name,
    ...(typeof fn['description'] === 'string' ? { description: fn['description'] } : {}),
    input_schema: schema['type'] === undefined ? { type: 'object', ...schema } : schema,
    ...(fn['strict'] === true && strict ? { strict: true } : {}),
    ...(isObject(cache) ? { cache_control: cache } : {}),
  };
}

const toolNames = (tools: unknown): Set<string> =>
  new Set(
    (Array.isArray(tools) ? tools : []).flatMap((tool: unknown) => {
      const fn = isObject(tool) && isObject(tool['function']) ? tool['function'] : tool;
      return isObject(fn) && typeof fn['name'] === 'string' ? [fn['name']] : [];
    }),
  );

function encodeChoice(choice: unknown): JsonObject | null {
  if (choice === undefined) return null;
  if (choice === 'auto' || choice === 'none') return { type: choice };
  if (choice === 'required' || choice === 'any') return { type: 'any' };
  if (isObject(choice)) {
    const fn = choice['function'];
    const name = isObject(fn) ? fn['name'] : choice['name'];
    if (choice['type'] === 'function' && typeof name === 'string') return { type: 'tool', name };
    if (['auto', 'any', 'tool', 'none'].includes(String(choice['type']))) return choice;
  }
  throw badField(
    'tool_choice',
    "Invalid value for 'tool_choice': must be auto, none, required, a function or allowed tools",
  );
}

interface ToolMembers {
  readonly members: JsonObject;
  /** The model must call a tool. */
  readonly forced: boolean;
}

/** Throws a 400 naming the tool at fault. */
export function encodeTools(params: JsonObject, target: CallTarget): ToolMembers {
  const list = params['tools'];
  if (!Array.isArray(list) || list.length === 0) return { members: {}, forced: false };
  let tools = list.map((tool, at) => encodeTool(tool, `tools[${at}]`, takesStrictTools(target)));
  let asked = params['tool_choice'];
  if (isObject(asked) && asked['type'] === 'allowed_tools') {
    const allowed = isObject(asked['allowed_tools']) ? asked['allowed_tools'] : asked;
    const names = toolNames(allowed['tools']);
    tools = tools.filter((tool) => names.has(String(tool['name'])));
    asked = allowed['mode'] ?? 'auto';
  }
  let choice = encodeChoice(asked);
  if (params['parallel_tool_calls'] === false && choice?.['type'] !== 'none') {
    choice = { type: 'auto', ...choice, disable_parallel_tool_use: true };
  }
  const forced = choice?.['type'] === 'any' || choice?.['type'] === 'tool';
  return { members: { tools, ...(choice === null ? {} : { tool_choice: choice }) }, forced };
}
