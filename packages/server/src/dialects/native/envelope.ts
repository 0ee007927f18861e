/** What every native answer carries around its `data`. */
import type { SettledFacts } from '../../contract/answer.ts';
import type { JsonObject } from '../../contract/chat.ts';
import { nativeUsage } from './usage.ts';

export function envelope(facts: SettledFacts, data: unknown, more: JsonObject = {}): JsonObject {
  return {
    request_id: facts.requestId,
    created_at: new Date(facts.startedAtMs).toISOString(),
    duration_ms: facts.durationMs,
    provider: facts.provider,
    model: facts.model,
    success: true,
    message: '',
    usage: nativeUsage(facts),
    raw_response: facts.raw ?? null,
    data,
    ...more,
    byok_api_key: facts.byok,
  };
}
