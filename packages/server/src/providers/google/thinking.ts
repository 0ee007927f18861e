/** How much a model thinks: `thinkingConfig` as given, or `reasoning_effort` in Google's terms. */
import type { JsonObject } from '../../contract/chat.ts';
import { badField } from '../../contract/errors.ts';
import { isObject } from '../exact-json.ts';
import type { CallTarget } from '../provider.ts';
import { isPro, thinksByBudget, thinksByLevel, thinksMinimally, version } from './model.ts';

/** Tokens of thinking per effort, as Google's own OpenAI-compatible endpoint has them. */
const budgets: Readonly<Record<string, number>> = {
  none: 0,
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: 24_576,
  max: 24_576,
};

const levels: Readonly<Record<string, string>> = {
  none: 'MINIMAL',
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
  max: 'HIGH',
};

/** Pro models cannot stop thinking. */
const leastProBudget = 128;

/** `thinking_budget` → `thinkingBudget` */
export function camelKeys(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      member,
    ]),
  );
}

function level(effort: string, model: string): string | undefined {
  const plain = levels[effort];
  if (plain === 'MINIMAL' && !thinksMinimally(model)) return 'LOW';
  return plain === 'MEDIUM' && isPro(model) && version(model) === 3 ? 'HIGH' : plain;
}

function budget(effort: string, target: CallTarget): number {
  const wanted = budgets[effort] ?? 0;
  // Thinking counts against the bound on output: leave a fifth for the answer.
  const room = target.maxTokens === null ? wanted : Math.floor(target.maxTokens * 0.8);
  const least = isPro(target.model) ? leastProBudget : 0;
  return Math.max(least, Math.min(wanted, room));
}

/** `extra_body.google.thinking_config`, as callers of Google's own OpenAI-compatible endpoint write it. */
function given(params: JsonObject): JsonObject | null {
  const body = isObject(params['extra_body']) ? params['extra_body'] : params;
  const google = isObject(body['google']) ? body['google'] : {};
  for (const config of [params['thinkingConfig'], params['thinking_config'], google['thinking_config']]) {
    if (isObject(config)) return camelKeys(config);
  }
  const thinking = params['thinking'];
  if (!isObject(thinking)) return null;
  if (thinking['type'] === 'disabled') return { thinkingBudget: 0 };
  const tokens = thinking['budget_tokens'];
  return { includeThoughts: true, ...(typeof tokens === 'number' ? { thinkingBudget: tokens } : {}) };
}

/** null where nothing is to be said. Throws a 400 for an effort that is none. */
export function encodeThinking(params: JsonObject, target: CallTarget): JsonObject | null {
  const config = given(params);
  if (config !== null) return config;
  const reasoning = params['reasoning'];
  const effort = params['reasoning_effort'] ?? (isObject(reasoning) ? reasoning['effort'] : undefined);
  if (effort === undefined) return null;
  if (typeof effort !== 'string' || !(effort in budgets)) {
    throw badField(
      'reasoning_effort',
      "Invalid value for 'reasoning_effort': must be none, minimal, low, medium, high, xhigh or max",
    );
  }
  if (target.info?.reasoning === false) return null;
  const shown = effort === 'none' ? {} : { includeThoughts: true };
  if (thinksByLevel(target.model)) return { ...shown, thinkingLevel: level(effort, target.model) };
  return thinksByBudget(target.model) ? { ...shown, thinkingBudget: budget(effort, target) } : null;
}
