/** What a Claude model takes, from its id and the catalogue. */
import type { CallTarget } from '../provider.ts';

/** `claude-opus-4-7`, `claude-3-5-sonnet-…`, `anthropic.claude-…`: major × 100 + minor; null when it cannot be told. */
export function generation(model: string): number | null {
  const found = /claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])/.exec(model.toLowerCase()) ?? null;
  if (found === null) return null;
  return Number(found[1]) * 100 + Number(found[2] ?? 0);
}

const isFrom = (target: CallTarget, first: number): boolean => (generation(target.model) ?? first) >= first;

/** Refuses temperature and top_p. Unknown ids count as new. */
export const refusesSampling = (target: CallTarget): boolean =>
  target.info?.temperature === false || isFrom(target, 407);

/** Thinks by `adaptive` and an effort; earlier ones by a budget in tokens. */
export const thinksAdaptively = (target: CallTarget): boolean =>
  target.info?.temperature === false || isFrom(target, 406);

/** What turns thinking off: nothing where it is off unless asked for, null also where it cannot be turned off. */
export function thinkingOff(model: string): string | null {
  const from = generation(model);
  if (from === null || from < 500 || /fable|mythos/.test(model)) return null;
  if (from < 505 || model.includes('haiku')) return 'disabled';
  return model.includes('sonnet') ? 'between_tools' : null;
}

/** Refuses temperature and top_p in one request. */
export const takesOneSampler = (target: CallTarget): boolean => isFrom(target, 401);

/** Knows `strict` on tools. */
export const takesStrictTools = (target: CallTarget): boolean => isFrom(target, 405);

/** The bound on output that is sent: the law's own, else the model's, else what every model takes. */
export const outputBound = (target: CallTarget): number =>
  target.maxTokens ?? target.info?.max_output_tokens ?? 4096;
