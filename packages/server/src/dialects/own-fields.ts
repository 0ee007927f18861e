/**
 * What every body of a data route has in common: additional_params of any nesting merged, nulls dropped, the gateway's
 * own fields read and taken out.
 */
import type { JsonObject } from '../contract/chat.ts';
import { badField } from '../contract/errors.ts';
import { parseUsd } from '../contract/money.ts';
import type { CallRequest } from '../contract/request.ts';
import { Secret } from '../contract/secret.ts';

/** Fields of the gateway itself: never sent to a provider. */
const own = new Set([
  'model',
  'stream',
  'stream_options',
  'provider',
  'additional_params',
  'byok_api_key',
  'session_id',
  'stream_id',
  'max_cost',
  'include_raw',
  'return_generator',
  // No caller chooses where a provider's key goes.
  'api_base',
  'base_url',
  'api_key',
  'azure_endpoint',
]);

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Clients wrap additional_params once more when handed one: the innermost names win over nothing, the outer over them. */
function flatten(value: unknown, into: JsonObject, depth: number): void {
  if (!isObject(value) || depth > 8) return;
  flatten(value['additional_params'], into, depth + 1);
  for (const [name, member] of Object.entries(value)) {
    if (name !== 'additional_params' && name !== '__proto__' && member !== null) into[name] = member;
  }
}

/** The members of `additional_params`, flattened. */
export function extraParams(body: JsonObject): JsonObject {
  const extra: JsonObject = {};
  const additional = body['additional_params'];
  if (additional === undefined || additional === null) return extra;
  if (!isObject(additional))
    throw badField('additional_params', "Invalid value for 'additional_params': must be an object");
  flatten(additional, extra, 0);
  return extra;
}

function isLeftOut(name: string, member: unknown): boolean {
  return member === null || name === 'additional_params' || name === '__proto__';
}

/** Nothing to add and nothing to leave out, as most bodies are. */
function isPlain(body: JsonObject): boolean {
  for (const name in body) if (isLeftOut(name, body[name])) return false;
  return true;
}

/** Extras and the body's own members together; the body's win. Without nulls. May be `body` itself. */
export function mergeParams(body: JsonObject, extra: JsonObject = extraParams(body)): JsonObject {
  if (isPlain(body)) return body;
  const merged: JsonObject = { ...extra };
  for (const name in body) {
    const member = body[name];
    if (!isLeftOut(name, member)) merged[name] = member;
  }
  return merged;
}

const none: ReadonlySet<string> = new Set();

/** What travels to the vendor: everything but the gateway's own fields, and but `read`, which the dialect understood. */
export function vendorParams(merged: JsonObject, read = none): JsonObject {
  const params: JsonObject = {};
  for (const name in merged) if (!own.has(name) && !read.has(name)) params[name] = merged[name];
  return params;
}

function text(merged: JsonObject, name: string, max: number): string | null {
  const value = merged[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value === '' || value.length > max) {
    throw badField(name, `Invalid value for '${name}': must be a string of 1 to ${max} characters`);
  }
  return value;
}

/** US dollars as a number or decimal string → nano-USD. */
export function decodeMaxCost(value: unknown, param: string): bigint | null {
  if (value === undefined || value === null) return null;
  const plain = typeof value === 'number' && value >= 0 && value <= 1e9 ? value.toFixed(9) : value;
  const nano = typeof plain === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(plain) ? parseUsd(plain) : null;
  if (nano === null) throw badField(param, `Invalid value for '${param}': must be US dollars, such as 0.05`);
  return nano;
}

function byokKey(merged: JsonObject): Secret | null {
  const value = merged['byok_api_key'];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || !/^[\x21-\x7e]{1,1024}$/.test(value)) {
    throw badField(
      'byok_api_key',
      "Invalid value for 'byok_api_key': must be 1 to 1024 visible ASCII characters",
    );
  }
  return new Secret(value);
}

/** The gateway's own fields. Throws a 400 that names the field. */
export function ownFields(merged: JsonObject): Omit<CallRequest, 'kind'> {
  const model = text(merged, 'model', 256);
  if (model !== null && /\p{Cc}/u.test(model)) {
    throw badField('model', "Invalid value for 'model': control characters are not allowed");
  }
  return {
    model,
    providerField: text(merged, 'provider', 64),
    stream: merged['stream'] === true,
    byokKey: byokKey(merged),
    sessionId: text(merged, 'session_id', 256),
    streamAlias: text(merged, 'stream_id', 256),
    maxCostNano: decodeMaxCost(merged['max_cost'], 'max_cost'),
    includeRaw: merged['include_raw'] === true,
  };
}
