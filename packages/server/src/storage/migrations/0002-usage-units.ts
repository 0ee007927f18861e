/** What a call used beside text: characters, images, milliseconds of audio or video, and tokens of input images. */

export const usageUnitsSqlite = [
  `ALTER TABLE usage ADD COLUMN unit TEXT`,
  `ALTER TABLE usage ADD COLUMN quantity INTEGER`,
  `ALTER TABLE usage ADD COLUMN image_input INTEGER`,
];

export const usageUnitsPostgres = [
  `ALTER TABLE indoxhub.usage ADD COLUMN unit text, ADD COLUMN quantity int8, ADD COLUMN image_input int8`,
  `CREATE OR REPLACE FUNCTION indoxhub.usage_daily_add(u indoxhub.usage, sign int8) RETURNS void LANGUAGE sql AS $$
  INSERT INTO indoxhub.usage_daily AS d (day, account_id, endpoint, provider, model, requests, errors, input_tokens, output_tokens, cost_nano, latency_ms)
  SELECT indoxhub.period_key('day', u.settled_at), u.account_id, u.endpoint, u.provider, u.model, sign,
    CASE WHEN u.ending IN ('upstream_error', 'timeout', 'rejected', 'unknown') THEN sign ELSE 0 END,
    sign * (u.input + u.cache_read + u.cache_write + u.cache_write_long + u.audio_input + coalesce(u.image_input, 0)),
    sign * (u.output + u.reasoning + u.audio_output + u.image_output), sign * u.charged_nano, sign * u.latency_ms
  WHERE u.settled_at <= (SELECT value::int8 FROM indoxhub.setting WHERE name = 'usage_watermark')
  ON CONFLICT (day, account_id, endpoint, provider, model) DO UPDATE SET
    requests = d.requests + excluded.requests, errors = d.errors + excluded.errors,
    input_tokens = d.input_tokens + excluded.input_tokens, output_tokens = d.output_tokens + excluded.output_tokens,
    cost_nano = d.cost_nano + excluded.cost_nano, latency_ms = d.latency_ms + excluded.latency_ms
$$`,
];
