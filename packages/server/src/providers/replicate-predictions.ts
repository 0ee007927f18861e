/** Where a prediction of Replicate is asked for, and what it says went wrong. */
import { badField } from '../contract/errors.ts';
import { isObject, tryParse } from './exact-json.ts';
import type { UpstreamFailure } from './provider.ts';

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** An official model has a path of its own; a version is named in the body. */
export function predictionPlace(model: string): { path: string } {
  if (!/^[\w.-]+\/[\w.-]+(:[\w]+)?$/.test(model))
    throw badField('model', "Invalid value for 'model': is no model of Replicate");
  return { path: model.includes(':') ? '/predictions' : `/models/${model}/predictions` };
}

export const predictionVersion = (model: string): { version?: string } => {
  const [, id] = model.split(':');
  return id === undefined ? {} : { version: id };
};

/** `{title, detail, status}`, with `invalid_fields` where some are. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  if (!isObject(parsed)) return { status, code: null, message: null, param: null };
  const list: unknown = parsed['invalid_fields'];
  const first: unknown = Array.isArray(list) ? list[0] : null;
  return {
    status,
    code: text(parsed['title']),
    message: text(parsed['detail'])?.slice(0, 1000) ?? null,
    param: isObject(first) ? text(first['field']) : null,
  };
}
