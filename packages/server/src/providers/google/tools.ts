/** Tools and the choice among them. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';

/** Tools that Google itself runs: `{"type": "google_search"}`, its settings under the same name. */
const ownTools: Readonly<Record<string, string>> = {
  google_search: 'googleSearch',
  googleSearch: 'googleSearch',
  google_search_retrieval: 'googleSearchRetrieval',
  url_context: 'urlContext',
  urlContext: 'urlContext',
  code_execution: 'codeExecution',
  codeExecution: 'codeExecution',
  google_maps: 'googleMaps',
  file_search: 'fileSearch',
  computer_use: 'computerUse',
};

const wrong = (param: string, sentence: string): Error =>
  badField(param, `Invalid value for '${param}': ${sentence}`);

function declaration(tool: JsonObject, param: string): JsonObject {
  const fn = isObject(tool['function']) ? tool['function'] : tool;
  const { name, description, parameters } = fn;
  if (typeof name !== 'string' || name === '') throw wrong(`${param}.function.name`, 'is required');
  return {
    name,
    ...(typeof description === 'string' ? { description } : {}),
    ...(isObject(parameters) ? { parametersJsonSchema: parameters } : {}),
  };
}

function encodeChoice(choice: unknown): { mode: string; names: string[] } {
  if (choice === 'auto' || choice === 'none') return { mode: choice.toUpperCase(), names: [] };
  if (choice === 'required' || choice === 'any') return { mode: 'ANY', names: [] };
  if (isObject(choice) && choice['type'] === 'function') {
    const fn = choice['function'];
    const name = isObject(fn) ? fn['name'] : choice['name'];
    if (typeof name === 'string') return { mode: 'ANY', names: [name] };
  }
  throw wrong('tool_choice', 'must be auto, none, required, a function or allowed tools');
}

const named = (tools: unknown): string[] =>
  (Array.isArray(tools) ? tools : []).flatMap((tool: unknown) => {
    const fn = isObject(tool) && isObject(tool['function']) ? tool['function'] : tool;
    return isObject(fn) && typeof fn['name'] === 'string' ? [fn['name']] : [];
  });

/** `tools` and `toolConfig`. Throws a 400 naming the tool at fault. */
export function encodeTools(params: JsonObject): JsonObject {
  const list = params['tools'];
  if (!Array.isArray(list) || list.length === 0) return {};
  let declarations: JsonObject[] = [];
  const own: JsonObject[] = [];
  for (const [at, tool] of (list as unknown[]).entries()) {
    if (!isObject(tool)) throw wrong(`tools[${at}]`, 'must be a tool');
    const type = String(tool['type']);
    const member = ownTools[type];
    if (type === 'function') declarations.push(declaration(tool, `tools[${at}]`));
    else if (member !== undefined) own.push({ [member]: tool[type] ?? {} });
    else throw wrong(`tools[${at}].type`, `Google has no tool ${JSON.stringify(type)}`);
  }
  let choice = params['tool_choice'];
  let names: string[] = [];
  if (isObject(choice) && choice['type'] === 'allowed_tools') {
    const allowed = isObject(choice['allowed_tools']) ? choice['allowed_tools'] : choice;
    names = named(allowed['tools']);
    declarations = declarations.filter((each) => names.includes(String(each['name'])));
    choice = allowed['mode'] ?? 'auto';
  }
  const tools = [...(declarations.length === 0 ? [] : [{ functionDeclarations: declarations }]), ...own];
  if (choice === undefined) return { tools };
  const { mode, names: chosen } = encodeChoice(choice);
  const allowedFunctionNames = mode === 'ANY' ? [...chosen, ...names] : [];
  return {
    tools,
    toolConfig: {
      functionCallingConfig: { mode, ...(allowedFunctionNames.length === 0 ? {} : { allowedFunctionNames }) },
    },
  };
}
