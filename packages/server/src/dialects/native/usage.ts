/** The native `usage` object: tokens, cost in US dollars, latency in milliseconds. */
import { usdNumber, type SettledFacts } from '../../contract/answer.ts';
import type { JsonObject } from '../../contract/chat.ts';
import { inputTokens, outputTokens } from '../../contract/usage.ts';
import { breakdownJson } from '../message.ts';

export function nativeUsage(facts: SettledFacts): JsonObject {
  const { usage } = facts;
  const prompt = inputTokens(usage);
  const completion = outputTokens(usage);
  return {
    tokens_prompt: prompt,
    tokens_completion: completion,
    tokens_total: prompt + completion,
    cost: usdNumber(facts.costNano),
    latency: facts.durationMs,
    timestamp: new Date(facts.startedAtMs + facts.durationMs).toISOString(),
    cache_read_tokens: usage.cacheRead,
    cache_write_tokens: usage.cacheWrite + usage.cacheWriteLong,
    reasoning_tokens: usage.reasoning,
    web_search_count: usage.webSearches,
    request_count: 1,
    cost_breakdown: breakdownJson(facts.breakdown()),
    ...(facts.source === 'counted' ? { estimated: true } : {}),
  };
}
