/**
 * One log line a call, in pino's own shape, put together by hand: it is written for every call, and pino's general way
 * costs more than most of what the call does. It holds no content and no secret.
 */
import { inputTokens, outputTokens } from '../contract/usage.ts';
import type { UsageRecord } from '../storage/storage.ts';

export interface AccessLog {
  /** `clientRetries`: how often the client itself had tried before; null where it tells nothing. */
  call(record: UsageRecord, upstreamMs: number, clientRetries?: number | null): void;
  /** Hands on what is held back. */
  flush(): void;
}

const infoLevel = 30;
/**
 * Bytes held back, at most, and for how long: many calls share one write. As one string that is larger than a page of the
 * collector's they would count as old from the first time it finds them waiting to be written.
 */
const maxBytes = 32 * 1024;
const maxDelayMs = 250;

/** Names in quotes, as they stand in the line: they come again with every call. */
const quoted = new Map<string, string>();
const maxQuoted = 10_000;

function quote(name: string): string {
  let text = quoted.get(name);
  if (text === undefined) {
    text = JSON.stringify(name);
    if (quoted.size >= maxQuoted) quoted.clear();
    quoted.set(name, text);
  }
  return text;
}

/**
 * `write` takes whole lines. Until then they are bytes outside the collector's reach: as strings they would outlive their
 * calls by hundreds of others, and be copied for it.
 */
export function createAccessLog(write: (lines: string) => unknown): AccessLog {
  const held = Buffer.allocUnsafe(maxBytes);
  let size = 0;
  let timer: NodeJS.Timeout | null = null;
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (size === 0) return;
    write(held.toString('utf8', 0, size));
    size = 0;
  };
  const hold = (line: string): void => {
    const most = line.length * 3;
    if (most > maxBytes - size) flush();
    if (most > maxBytes) return void write(line);
    size += held.write(line, size);
    timer ??= setTimeout(flush, maxDelayMs).unref();
  };
  const call = (record: UsageRecord, upstreamMs: number, clientRetries: number | null = null): void => {
    const { costNano } = record;
    hold(
      `{"level":${infoLevel},"time":${Date.now()},"request_id":"${record.id}","account":${quote(record.accountId)}` +
        `,"key":${quote(record.keyId)},"endpoint":"${record.endpoint}","provider":${quote(record.provider)}` +
        `,"model":${quote(record.model)},"stream":${record.stream},"byok":${record.byok},"status":${record.httpStatus}` +
        `,"ending":"${record.ending}","error":${record.errorCode === null ? 'null' : quote(record.errorCode)}` +
        `,"input_tokens":${inputTokens(record.usage)},"output_tokens":${outputTokens(record.usage)}` +
        `,"cost_nano":${costNano === null ? 'null' : `"${costNano}"`},"ms":${record.latencyMs}` +
        `,"upstream_ms":${Math.round(upstreamMs)},"attempts":${record.attempts}` +
        `${clientRetries === null ? '' : `,"client_retries":${clientRetries}`},"msg":"call"}\n`,
    );
  };
  return { call, flush };
}
