/** Migration 0001 on PostgreSQL: the functions that indoxhub.ledger_commit calls. */

/** Milliseconds until `cost` of `max` fits into a sliding window, 0 when it fits now. */
const waitMs = `CREATE FUNCTION indoxhub.wait_ms(now_ms int8, len int8, start int8, previous int8, current int8, max int8, cost int8)
RETURNS int8 LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  room int8 := max - cost - current;
  next float8 := 0;
BEGIN
  IF current + previous * (1 - (now_ms - start) / len::float8) + cost <= max THEN RETURN 0; END IF;
  IF room >= 0 AND previous > 0 THEN
    RETURN greatest(1, ceil(len * (1 - room / previous::float8) - (now_ms - start)));
  END IF;
  IF current > 0 THEN next := greatest(0, 1 - (max - cost) / current::float8); END IF;
  RETURN greatest(1, ceil(len * (1 + next) - (now_ms - start)));
END $$`;

/** What the X-RateLimit headers say of a window. */
const limitState = `CREATE FUNCTION indoxhub.limit_state(id text, now_ms int8, len int8, start int8, previous int8, current int8, max int8)
RETURNS jsonb LANGUAGE sql IMMUTABLE RETURN jsonb_build_object(
  'id', id, 'max', max,
  'remaining', greatest(0, floor(max - (current + previous * (1 - (now_ms - start) / len::float8)))),
  'reset', CASE WHEN current > 0 THEN start + 2 * len WHEN previous > 0 THEN start + len ELSE now_ms END)`;

/** Adds a row behind the watermark to the roll-up, or takes it out again (sign -1). */
const dailyAdd = `CREATE FUNCTION indoxhub.usage_daily_add(u indoxhub.usage, sign int8) RETURNS void LANGUAGE sql AS $$
  INSERT INTO indoxhub.usage_daily AS d (day, account_id, endpoint, provider, model, requests, errors, input_tokens, output_tokens, cost_nano, latency_ms)
  SELECT indoxhub.period_key('day', u.settled_at), u.account_id, u.endpoint, u.provider, u.model, sign,
    CASE WHEN u.ending IN ('upstream_error', 'timeout', 'rejected', 'unknown') THEN sign ELSE 0 END,
    sign * (u.input + u.cache_read + u.cache_write + u.cache_write_long + u.audio_input),
    sign * (u.output + u.reasoning + u.audio_output + u.image_output), sign * u.charged_nano, sign * u.latency_ms
  WHERE u.settled_at <= (SELECT value::int8 FROM indoxhub.setting WHERE name = 'usage_watermark')
  ON CONFLICT (day, account_id, endpoint, provider, model) DO UPDATE SET
    requests = d.requests + excluded.requests, errors = d.errors + excluded.errors,
    input_tokens = d.input_tokens + excluded.input_tokens, output_tokens = d.output_tokens + excluded.output_tokens,
    cost_nano = d.cost_nano + excluded.cost_nano, latency_ms = d.latency_ms + excluded.latency_ms
$$`;

/** Money moves between an account's book and the world's. */
const book = `CREATE FUNCTION indoxhub.book(txn text, kind text, account text, amount int8, at_ms int8, note text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF amount <> 0 THEN
    INSERT INTO indoxhub.ledger_entry (txn, book, kind, amount_nano, created_at, note)
    VALUES (txn, 'account:' || account, kind, amount, at_ms, note), (txn, 'world', kind, -amount, at_ms, note);
  END IF;
END $$`;

export const ledgerHelpers: readonly string[] = [waitMs, limitState, dailyAdd, book];
