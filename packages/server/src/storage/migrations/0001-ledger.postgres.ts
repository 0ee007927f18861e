/**
 * Migration 0001 on PostgreSQL: the ledger as one function, so that a batch is one round trip and one transaction. `ops`
 * are the operations, `names` what they name that must be locked (postgres-codec.ts).
 * sqlite-ledger.ts does the same in TypeScript; the conformance suite holds both to one meaning.
 *
 * Locks are taken in one order by every replica (the usage gate, budgets by id, rate windows by id), so batches cannot
 * deadlock; every hold is changed only under the lock of its account's budget. What is locked is kept in arrays, changed
 * there operation by operation, and written back once at the end; so are new holds, charges and usage rows.
 */
import { ledgerHelpers } from './0001-ledger-helpers.postgres.ts';

const declarations = `
DECLARE
  op jsonb; part jsonb; h indoxhub.hold; u indoxhub.usage; i_row indoxhub.idempotency; s indoxhub.swept_hold;
  now_ms int8; settled int8; id text; found_id text; i int; tight int; tight_left int8; left_nano int8;
  amount int8; added int8; charged int8; cost int8; result jsonb; pairs jsonb; takes jsonb; states jsonb;
  results jsonb[] := '{}'; hold_ids text[]; dead_ids text[]; swept text[]; budget_ids text[];
  b_id text[]; b_capped int8[]; b_period text[]; b_key text[]; b_granted int8[]; b_spent int8[]; b_held int8[];
  w_id text[]; w_len int8[]; w_start int8[]; w_previous int8[]; w_current int8[]; start int8; actual int8;
  k int; known text[]; done text[]; holds indoxhub.hold[]; changed text[] := '{}'; new_ids text[] := '{}'; new_holds indoxhub.hold[] := '{}'; closed text[] := '{}'; closed_account text[] := '{}';
  closed_charge int8[] := '{}'; new_usage jsonb[] := '{}';`;

const lock = `
  -- Held shared by batches, exclusively by the roll-up for a moment: see postgres.ts.
  PERFORM pg_advisory_xact_lock_shared(1768842863, 2);

  hold_ids := ARRAY (SELECT jsonb_array_elements_text(names->'holds'));
  IF names->>'sweeps' = 'true' THEN
    SELECT array_agg(d.id ORDER BY d.id) INTO dead_ids FROM (
      SELECT dead.id FROM jsonb_array_elements(ops) o, indoxhub.hold dead
      WHERE o->>'op' = 'sweep' AND dead.owner <> o->>'owner'
        AND dead.started_at < indoxhub.now_ms() - (o->>'dead')::int8
        AND NOT EXISTS (SELECT 1 FROM indoxhub.instance n WHERE n.owner = dead.owner AND n.seen_at >= indoxhub.now_ms() - (o->>'dead')::int8)
      LIMIT 1000) d;
  END IF;

  budget_ids := ARRAY (
    SELECT jsonb_array_elements_text(names->'budgets')
    UNION SELECT q.account_id FROM indoxhub.hold q WHERE q.id = ANY (hold_ids || dead_ids)
    UNION SELECT pair->>0 FROM indoxhub.hold q, jsonb_array_elements(q.budgets) pair WHERE q.id = ANY (hold_ids || dead_ids)
    UNION SELECT pair->>0 FROM indoxhub.swept_hold q, jsonb_array_elements(q.budgets) pair WHERE q.id = ANY (hold_ids)
  );
  SELECT array_agg(b.id), array_agg(b.capped), array_agg(b.period), array_agg(b.period_key), array_agg(b.granted_nano),
    array_agg(b.spent_nano), array_agg(b.held_nano)
  INTO b_id, b_capped, b_period, b_key, b_granted, b_spent, b_held
  FROM (SELECT * FROM indoxhub.budget q WHERE q.id = ANY (budget_ids) ORDER BY q.id FOR UPDATE) b;

  INSERT INTO indoxhub.rate_window (id, window_start, previous, current)
  SELECT l->>'id', 0, 0, 0 FROM jsonb_array_elements(names->'windows') l
  WHERE NOT EXISTS (SELECT 1 FROM indoxhub.rate_window w WHERE w.id = l->>'id')
  ORDER BY 1 ON CONFLICT DO NOTHING;
  SELECT array_agg(w.id), array_agg(w.len), array_agg(w.window_start), array_agg(w.previous), array_agg(w.current)
  INTO w_id, w_len, w_start, w_previous, w_current
  FROM (
    SELECT q.*, n.len FROM indoxhub.rate_window q JOIN (
      SELECT y.id, max(y.len) AS len FROM (
        SELECT l->>'id' AS id, (l->>'window')::int8 AS len FROM jsonb_array_elements(names->'windows') l
        UNION ALL SELECT t->>'id', (t->>'window')::int8 FROM indoxhub.hold q, jsonb_array_elements(q.takes) t WHERE q.id = ANY (hold_ids)
      ) y GROUP BY y.id
    ) n ON n.id = q.id ORDER BY q.id FOR UPDATE OF q
  ) w;

  SELECT coalesce(array_agg(q.id), '{}'), array_agg(q) INTO known, holds FROM indoxhub.hold q WHERE q.id = ANY (hold_ids);

  -- Ids are not used twice; only an admission repeated at once could be.
  done := ARRAY (SELECT q.id FROM indoxhub.usage q WHERE q.settled_at > indoxhub.now_ms() - 3600000
    AND q.id = ANY (ARRAY (SELECT jsonb_array_elements_text(names->'admits'))));

  -- Read once everything is locked: an account's operations never go back in time, whichever replica runs them.
  now_ms := indoxhub.now_ms();
  SELECT greatest(now_ms, value::int8 + 1) INTO settled FROM indoxhub.setting WHERE name = 'usage_watermark';
  FOR i IN 1..coalesce(cardinality(b_id), 0) LOOP
    CONTINUE WHEN b_period[i] = 'total' OR b_key[i] = indoxhub.period_key(b_period[i], now_ms);
    b_key[i] := indoxhub.period_key(b_period[i], now_ms);
    b_spent[i] := 0;
  END LOOP;
  FOR i IN 1..coalesce(cardinality(w_id), 0) LOOP
    start := now_ms - now_ms % w_len[i];
    CONTINUE WHEN w_start[i] >= start;
    w_previous[i] := CASE WHEN w_start[i] = start - w_len[i] THEN w_current[i] ELSE 0 END;
    w_current[i] := 0;
    w_start[i] := start;
  END LOOP;`;

/** A loop over a JSON array by index: plain expressions, which cost PL/pgSQL a tenth of a query. */
const each = (array: string): string => `FOR n IN 0..jsonb_array_length(${array}) - 1 LOOP`;

/** Finds the tightest capped budget of a JSON array: its index in `tight`, what is left of it in `tight_left`. */
const tightest = (array: string, id: string): string => `
      tight := NULL;
      ${each(array)}
        id := ${id};
        i := array_position(b_id, id);
        IF i IS NULL THEN RAISE EXCEPTION 'budget % does not exist', id; END IF;
        CONTINUE WHEN b_capped[i] = 0;
        left_nano := b_granted[i] - b_spent[i] - b_held[i];
        IF tight IS NULL OR left_nano < tight_left THEN tight := i; tight_left := left_nano; END IF;
      END LOOP;
      tight_left := greatest(tight_left, 0);`;

/** What is collected to be written set by set: new holds, settled ones, their charges and usage rows. */
const flush = `
      INSERT INTO indoxhub.hold SELECT * FROM unnest(new_holds);
      DELETE FROM indoxhub.hold q WHERE q.id = ANY (closed);
      INSERT INTO indoxhub.ledger_entry (txn, book, kind, amount_nano, created_at)
      SELECT c.txn, side.book, 'charge', side.amount, now_ms FROM unnest(closed, closed_account, closed_charge) AS c (txn, account, charge),
        LATERAL (VALUES ('account:' || c.account, -c.charge), ('world', c.charge)) AS side (book, amount) WHERE c.charge <> 0;
      INSERT INTO indoxhub.usage SELECT * FROM jsonb_populate_recordset(NULL::indoxhub.usage, to_jsonb(new_usage));
      changed := changed || closed;
      new_ids := '{}'; new_holds := '{}'; closed := '{}'; closed_account := '{}'; closed_charge := '{}'; new_usage := '{}';`;

/** Reads the open hold of the operation into `h`, its id null when there is none. */
const readHold = `
      IF op->>'id' = ANY (new_ids) OR op->>'id' = ANY (closed) THEN${flush}
      END IF;
      k := array_position(known, op->>'id');
      IF k IS NOT NULL AND NOT op->>'id' = ANY (changed) THEN
        h := holds[k];
      ELSE
        SELECT * INTO h FROM indoxhub.hold q WHERE q.id = op->>'id';
      END IF;`;

const admit = `
    WHEN 'admit' THEN <<admit>> BEGIN
      IF op->>'id' = ANY (known) OR op->>'id' = ANY (new_ids) THEN${readHold}
        IF h.id IS NOT NULL THEN
          result := jsonb_build_object('status', 'admitted', 'held', h.amount_nano::text, 'limits', '[]'::jsonb);
          EXIT admit;
        END IF;
      END IF;
      IF op->>'id' = ANY (done) OR op->>'id' = ANY (changed) OR op->>'id' = ANY (closed) THEN
        RAISE EXCEPTION 'call % was settled before', op->>'id';
      END IF;
      IF op ? 'key' THEN
        SELECT * INTO i_row FROM indoxhub.idempotency q
        WHERE q.account_id = op->>'account' AND q.key = op->>'key' AND q.expires_at > now_ms;
        IF FOUND THEN
          result := jsonb_build_object('id', i_row.request_id, 'status', CASE
            WHEN i_row.fingerprint <> op->>'fingerprint' THEN 'mismatch' WHEN i_row.state = 'open' THEN 'in_progress'
            WHEN i_row.state = 'unknown' THEN 'outcome_unknown' ELSE 'replay' END);
          IF result->>'status' = 'replay' THEN
            result := result || jsonb_build_object('code', i_row.status, 'type', i_row.content_type, 'body', i_row.body);
          END IF;
          EXIT admit;
        END IF;
      END IF;

      found_id := NULL; states := '[]'; takes := '[]';
      ${each("op->'limits'")}
        part := op->'limits'->n;
        i := array_position(w_id, part->>'id');
        actual := indoxhub.wait_ms(now_ms, w_len[i], w_start[i], w_previous[i], w_current[i], (part->>'max')::int8, (part->>'cost')::int8);
        CONTINUE WHEN actual = 0;
        found_id := part->>'id';
        EXIT;
      END LOOP;
      IF found_id IS NOT NULL THEN
        ${each("op->'limits'")}
          part := op->'limits'->n;
          i := array_position(w_id, part->>'id');
          states := states || indoxhub.limit_state(part->>'id', now_ms, w_len[i], w_start[i], w_previous[i], w_current[i], (part->>'max')::int8);
        END LOOP;
        result := jsonb_build_object('status', 'limited', 'limit', found_id, 'wait', actual, 'limits', states);
        EXIT admit;
      END IF;
${tightest("op->'budgets'", "op->'budgets'->>n")}
      amount := (op->>'hold')::int8;
      IF tight IS NOT NULL AND tight_left < amount THEN
        IF tight_left < (op->>'least')::int8 THEN
          result := jsonb_build_object('status', 'refused', 'budget', b_id[tight], 'available', tight_left::text, 'held', b_held[tight]::text);
          EXIT admit;
        END IF;
        amount := tight_left;
      END IF;

      ${each("op->'limits'")}
        part := op->'limits'->n;
        i := array_position(w_id, part->>'id');
        w_current[i] := w_current[i] + (part->>'cost')::int8;
        IF part->>'id' LIKE '%:tpm' THEN
          takes := takes || jsonb_build_object('id', part->>'id', 'cost', part->'cost', 'window', w_len[i], 'start', w_start[i]);
        END IF;
        states := states || indoxhub.limit_state(part->>'id', now_ms, w_len[i], w_start[i], w_previous[i], w_current[i], (part->>'max')::int8);
      END LOOP;
      pairs := '[]';
      ${each("op->'budgets'")}
        id := op->'budgets'->>n;
        i := array_position(b_id, id);
        b_held[i] := b_held[i] + amount;
        pairs := pairs || jsonb_build_array(jsonb_build_array(id, b_key[i]));
      END LOOP;
      new_ids := array_append(new_ids, op->>'id');
      new_holds := array_append(new_holds, ROW(op->>'id', op->>'account', op->>'key_id', op->>'owner', amount, 0, (op->>'floor')::int8,
        (op->>'hard')::int8, pairs, op->'facts', takes, op->>'key', op->>'alias', (op->'facts'->>'stream')::int8, now_ms, 0)::indoxhub.hold);
      IF op ? 'key' THEN
        INSERT INTO indoxhub.idempotency AS q (account_id, key, fingerprint, request_id, state, expires_at)
        VALUES (op->>'account', op->>'key', op->>'fingerprint', op->>'id', 'open', now_ms + 86400000)
        ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, request_id = excluded.request_id,
          state = 'open', status = NULL, content_type = NULL, body = NULL, expires_at = excluded.expires_at;
      END IF;
      result := jsonb_build_object('status', 'admitted', 'held', amount::text, 'limits', states);
    END;`;

const extend = `
    WHEN 'extend' THEN${readHold}
      IF h.id IS NULL THEN
        result := '{"status": "missing", "added": "0"}';
      ELSE
        added := (op->>'add')::int8;${tightest('h.budgets', 'h.budgets->n->>0')}
        IF tight IS NOT NULL AND tight_left < added THEN
          added := CASE WHEN tight_left >= (op->>'least')::int8 THEN tight_left ELSE 0 END;
        END IF;
        ${each('h.budgets')}
          i := array_position(b_id, h.budgets->n->>0);
          b_held[i] := b_held[i] + added;
        END LOOP;
        UPDATE indoxhub.hold q SET amount_nano = q.amount_nano + added, spent_nano = greatest(q.spent_nano, (op->>'spent')::int8)
        WHERE q.id = h.id;
        changed := array_append(changed, h.id);
        result := jsonb_build_object('added', added::text,
          'status', CASE WHEN (op->>'add')::int8 > 0 AND added = 0 THEN 'refused' ELSE 'extended' END);
      END IF;`;

/** Takes hold `h` back out of its budgets and charges them `charged`, if the period it was admitted in still runs. */
const release = `
        ${each('h.budgets')}
          i := array_position(b_id, h.budgets->n->>0);
          b_held[i] := b_held[i] - h.amount_nano;
          IF b_key[i] = h.budgets->n->>1 THEN b_spent[i] := b_spent[i] + charged; END IF;
        END LOOP;`;

const idempotentEnd = (account: string, key: string): string => `
        IF ${key} IS NOT NULL THEN
          IF op->'response' = 'null' THEN
            DELETE FROM indoxhub.idempotency q WHERE q.account_id = ${account} AND q.key = ${key} AND q.request_id = op->>'id';
          ELSE
            UPDATE indoxhub.idempotency q SET state = 'done', status = (op->'response'->>'status')::int8,
              content_type = op->'response'->>'type', body = op->'response'->>'body'
            WHERE q.account_id = ${account} AND q.key = ${key} AND q.request_id = op->>'id';
          END IF;
        END IF;`;

const settle = `
    WHEN 'settle' THEN
      cost := coalesce((op->'row'->>'cost_nano')::int8, 0);
${readHold}
      IF h.id IS NOT NULL THEN
        IF h.account_id <> op->>'account' THEN RAISE EXCEPTION 'call % belongs to another account', h.id; END IF;
        charged := cost;
        IF h.hard = 1 AND cost > h.amount_nano THEN${tightest('h.budgets', 'h.budgets->n->>0')}
          IF tight IS NOT NULL THEN charged := least(cost, h.amount_nano + tight_left); END IF;
        END IF;
        charged := least(charged, (op->>'most')::int8);${release}
        closed := array_append(closed, h.id);
        closed_account := array_append(closed_account, h.account_id);
        closed_charge := array_append(closed_charge, charged);
        new_usage := array_append(new_usage, (op->'row')
          || jsonb_build_object('settled_at', settled, 'charged_nano', charged, 'over_nano', cost - charged));
        ${each('h.takes')}
          part := h.takes->n;
          i := array_position(w_id, part->>'id');
          CONTINUE WHEN i IS NULL;
          actual := (op->>'tokens')::int8 - (part->>'cost')::int8;
          IF w_start[i] = (part->>'start')::int8 THEN w_current[i] := greatest(0, w_current[i] + actual);
          ELSIF w_start[i] - w_len[i] = (part->>'start')::int8 THEN w_previous[i] := greatest(0, w_previous[i] + actual);
          END IF;
        END LOOP;${idempotentEnd('h.account_id', 'h.idempotency_key')}
        result := jsonb_build_object('status', 'settled', 'charged', charged::text, 'over', (cost - charged)::text);
      ELSE
        SELECT * INTO u FROM indoxhub.usage q WHERE q.id = op->>'id';
        SELECT * INTO s FROM indoxhub.swept_hold q WHERE q.id = op->>'id';
        IF u.id IS NULL OR s.id IS NULL OR u.ending <> 'unknown' OR u.account_id <> op->>'account' THEN
          result := jsonb_build_object('status', 'already', 'charged', coalesce(u.charged_nano, 0)::text, 'over', coalesce(u.over_nano, 0)::text);
        ELSE
          added := cost - u.charged_nano;${tightest('s.budgets', 's.budgets->n->>0')}
          IF s.hard = 1 AND tight IS NOT NULL THEN added := least(added, tight_left); END IF;
          ${each('s.budgets')}
            i := array_position(b_id, s.budgets->n->>0);
            IF b_key[i] = s.budgets->n->>1 THEN b_spent[i] := b_spent[i] + added; END IF;
          END LOOP;
          charged := u.charged_nano + added;
          PERFORM indoxhub.book(u.id, 'correction', u.account_id, -added, now_ms, NULL);
          -- The roll-up moves the watermark first: until this batch is done it waits here, or this batch for it.
          PERFORM 1 FROM indoxhub.setting q WHERE q.name = 'usage_watermark' FOR SHARE;
          PERFORM indoxhub.usage_daily_add(u, -1);
          DELETE FROM indoxhub.usage q WHERE q.id = u.id AND q.settled_at = u.settled_at;
          u := jsonb_populate_record(NULL::indoxhub.usage, (op->'row')
            || jsonb_build_object('settled_at', u.settled_at, 'charged_nano', charged, 'over_nano', cost - charged));
          INSERT INTO indoxhub.usage SELECT u.*;
          PERFORM indoxhub.usage_daily_add(u, 1);
          DELETE FROM indoxhub.swept_hold q WHERE q.id = u.id;${idempotentEnd('u.account_id', 's.idempotency_key')}
          result := jsonb_build_object('status', 'corrected', 'charged', charged::text, 'over', (cost - charged)::text);
        END IF;
      END IF;`;

const credit = `
    WHEN 'credit' THEN
      i := array_position(b_id, op->>'account');
      amount := (op->>'amount')::int8;
      result := '{"status": "booked"}';
      IF i IS NULL THEN
        result := '{"status": "missing"}';
      ELSIF EXISTS (SELECT 1 FROM indoxhub.ledger_entry q WHERE q.txn = op->>'id' AND q.kind = op->>'kind'
          AND q.book = 'account:' || (op->>'account') AND q.kind <> 'charge') THEN
        result := '{"status": "already"}';
      ELSIF amount < 0 AND b_granted[i] + amount < b_spent[i] + b_held[i] THEN
        result := '{"status": "refused"}';
      ELSE
        b_granted[i] := b_granted[i] + amount;
        PERFORM indoxhub.book(op->>'id', op->>'kind', op->>'account', amount, now_ms, op->>'note');
      END IF;`;

const sweep = `
    WHEN 'sweep' THEN
      swept := '{}';${flush}
      FOR h IN SELECT * FROM indoxhub.hold q WHERE q.id = ANY (dead_ids) AND q.owner <> op->>'owner' ORDER BY q.id LOOP
        charged := greatest(h.spent_nano, h.floor_nano);
        IF h.hard = 1 THEN charged := least(charged, h.amount_nano); END IF;${release}
        DELETE FROM indoxhub.hold q WHERE q.id = h.id;
        changed := array_append(changed, h.id);
        PERFORM indoxhub.book(h.id, 'charge', h.account_id, -charged, now_ms, 'outcome unknown');
        INSERT INTO indoxhub.usage SELECT * FROM jsonb_populate_record(NULL::indoxhub.usage, h.facts || jsonb_build_object(
          'id', h.id, 'account_id', h.account_id, 'key_id', h.key_id, 'started_at', h.started_at, 'settled_at', settled,
          'ending', 'unknown', 'http_status', 0, 'input', 0, 'cache_read', 0, 'cache_write', 0, 'cache_write_long', 0,
          'audio_input', 0, 'output', 0, 'reasoning', 0, 'audio_output', 0, 'image_output', 0, 'web_searches', 0,
          'source', 'none', 'cost_nano', charged, 'charged_nano', charged, 'over_nano', 0,
          'latency_ms', greatest(0, now_ms - h.started_at), 'attempts', 1));
        INSERT INTO indoxhub.swept_hold (id, budgets, hard, idempotency_key, swept_at)
        VALUES (h.id, h.budgets, h.hard, h.idempotency_key, now_ms);
        UPDATE indoxhub.idempotency q SET state = 'unknown'
        WHERE q.account_id = h.account_id AND q.key = h.idempotency_key AND q.request_id = h.id;
        swept := swept || h.id;
      END LOOP;
      result := jsonb_build_object('swept', to_jsonb(swept));`;

const writeBack = `${flush}
  UPDATE indoxhub.budget b SET period_key = n.key, granted_nano = n.granted, spent_nano = n.spent, held_nano = n.held
  FROM unnest(b_id, b_key, b_granted, b_spent, b_held) AS n (id, key, granted, spent, held)
  WHERE b.id = n.id AND (b.period_key, b.granted_nano, b.spent_nano, b.held_nano) IS DISTINCT FROM (n.key, n.granted, n.spent, n.held);
  UPDATE indoxhub.rate_window w SET window_start = n.start, previous = n.previous, current = n.current
  FROM unnest(w_id, w_start, w_previous, w_current) AS n (id, start, previous, current)
  WHERE w.id = n.id AND (w.window_start, w.previous, w.current) IS DISTINCT FROM (n.start, n.previous, n.current);`;

export const ledgerPostgres: readonly string[] = [
  ...ledgerHelpers,
  `CREATE FUNCTION indoxhub.ledger_commit(ops jsonb, names jsonb) RETURNS jsonb LANGUAGE plpgsql SET lock_timeout = '4s' AS $$
  #variable_conflict use_column
${declarations}
BEGIN
${lock}
  FOR op IN SELECT * FROM jsonb_array_elements(ops) LOOP
    CASE op->>'op'
${admit}${extend}${settle}${credit}${sweep}
    END CASE;
    results := array_append(results, result);
  END LOOP;
${writeBack}
  RETURN to_jsonb(results);
END $$`,
];
