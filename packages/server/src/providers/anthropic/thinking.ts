/** How much a model thinks: `thinking` as given, or `reasoning_effort` in Anthropic's terms. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import type { CallTarget } from '../provider.ts';
import { generation, outputBound, thinkingOff, thinksAdaptively } from './model.ts';

/** Anthropic's least budget. */
const leastBudget = 1024;
/** Below it, thinking would leave no room for an answer. */
const leastBound = 2 * leastBudget;

/** Share of the output bound that may go into thinking. */
const shares: Readonly<Record<string, number>> = {
  minimal: 0.1,
  low: 0.2,
  medium: 0.5,
  high: 0.8,
  xhigh: 0.9,
  max: 0.95,
};

export interface Thinking {
  readonly thinking: JsonObject | null;
  readonly effort: string | null;
}

const none: Thinking = { thinking: null, effort: null };

/** The caller's own budget, lowered where the bound sent upstream leaves less. Throws a 400 where nothing is left. */
function given(thinking: JsonObject, target: CallTarget): JsonObject {
  const budget = thinking['budget_tokens'];
  const bound = outputBound(target);
  if (typeof budget !== 'number' || budget < bound) return thinking;
  if (bound <= leastBudget) {
    throw badField(
      'thinking.budget_tokens',
      `Invalid value for 'thinking.budget_tokens': must be less than max_tokens (${bound})`,
    );
  }
  return { ...thinking, budget_tokens: bound - 1 };
}

function effortOf(params: JsonObject): string | null {
  const reasoning = params['reasoning'];
  const effort = params['reasoning_effort'] ?? (isObject(reasoning) ? reasoning['effort'] : undefined);
  if (effort === undefined) return null;
  if (effort === 'none' || (typeof effort === 'string' && effort in shares)) return effort;
  throw badField(
    'reasoning_effort',
    "Invalid value for 'reasoning_effort': must be none, minimal, low, medium, high, xhigh or max",
  );
}

/** As little thinking as the model can do. */
function off(target: CallTarget): Thinking {
  const type = thinkingOff(target.model);
  if (type !== null) return { thinking: { type }, effort: null };
  const always = (generation(target.model) ?? 0) >= 500;
  return always ? { thinking: null, effort: 'low' } : none;
}

/**
 * `blocked`: the request has what thinking with a budget excludes (a forced tool, a tool turn without thinking). An
 * effort is a hint, so it then gives way, as it does for models that do not think and bounds too small for it.
 */
export function encodeThinking(params: JsonObject, target: CallTarget, blocked: boolean): Thinking {
  const thinking = params['thinking'];
  if (isObject(thinking)) return { thinking: given(thinking, target), effort: null };
  const effort = effortOf(params);
  if (effort === null || target.info?.reasoning === false) return none;
  if (effort === 'none') return off(target);
  if (thinksAdaptively(target)) {
    return {
      thinking: blocked ? null : { type: 'adaptive', display: 'summarized' },
      effort: effort === 'minimal' ? 'low' : effort,
    };
  }
  const bound = outputBound(target);
  if (blocked || bound < leastBound) return none;
  const budget = Math.max(leastBudget, Math.floor(bound * (shares[effort] ?? 0)));
  return { thinking: { type: 'enabled', budget_tokens: budget }, effort: null };
}
