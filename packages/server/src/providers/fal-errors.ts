/** What fal says went wrong. */
import { isObject, tryParse } from './exact-json.ts';
import type { UpstreamFailure } from './provider.ts';

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** `{detail: "…"}` or FastAPI's list. */
export function decodeError(status: number, body: Buffer): UpstreamFailure {
  const parsed = tryParse(body);
  const detail: unknown = isObject(parsed) ? (parsed['detail'] ?? parsed['error']) : null;
  const first: unknown = Array.isArray(detail) ? detail[0] : null;
  if (!isObject(first))
    return { status, code: null, message: text(detail)?.slice(0, 1000) ?? null, param: null };
  const path: unknown = first['loc'];
  return {
    status,
    code: text(first['type']),
    message: text(first['msg']),
    param: Array.isArray(path) ? String(path.at(-1)) : null,
  };
}
