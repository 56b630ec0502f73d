-- ask_erasure --
-- Somebody is to be erased: known by the keyed hash from now on. One that was erased before is erased again.
INSERT INTO erasures (retailer_id, erasure_id, subject_hash, shopper_id, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (retailer_id, subject_hash) DO UPDATE
SET shopper_id = excluded.shopper_id, erased_at = NULL, part_of = NULL
RETURNING erasure_id

-- now_known_as --
-- Who an anonymous shopper turned out to be, if she logged in; else she herself.
SELECT coalesce((SELECT shopper_id FROM shopper_merges WHERE retailer_id = $1 AND former_id = $2), $2)

-- former_ids --
-- The ids that a shopper had before she logged in.
SELECT former_id FROM shopper_merges WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY former_id

-- erase_with --
-- Her former ids go with an erasure that was asked for.
INSERT INTO erasures (retailer_id, erasure_id, subject_hash, shopper_id, asked_by, asked_at, part_of)
SELECT e.retailer_id, f.erasure_id, f.subject_hash, f.shopper_id, e.asked_by, e.asked_at, e.erasure_id
FROM erasures e, unnest($3::text[], $4::bytea[], $5::text[]) AS f (erasure_id, subject_hash, shopper_id)
WHERE e.retailer_id = $1 AND e.erasure_id = $2
ON CONFLICT (retailer_id, subject_hash) DO UPDATE
SET shopper_id = excluded.shopper_id, erased_at = NULL, part_of = excluded.part_of

-- erasures_under_way --
SELECT erasure_id, shopper_id FROM erasures
WHERE retailer_id = $1 AND erased_at IS NULL AND shopper_id IS NOT NULL AND part_of IS NULL
ORDER BY asked_at, erasure_id

-- erased_ids --
-- Under which ids an erasure that is under way erases somebody.
SELECT shopper_id FROM erasures
WHERE retailer_id = $1 AND (erasure_id = $2 OR part_of = $2) AND shopper_id IS NOT NULL

-- erasure --
SELECT erasure_id, shopper_id, asked_by, asked_at, erased_at, erased FROM erasures
WHERE retailer_id = $1 AND erasure_id = $2

-- note_erased --
-- Adds what went to the receipt, per table.
UPDATE erasures e SET erased = e.erased || (
  SELECT coalesce(jsonb_object_agg(n.name, n.rows + coalesce((e.erased ->> n.name)::bigint, 0)), '{}')
  FROM unnest($3::text[], $4::bigint[]) AS n (name, rows)
)
WHERE e.retailer_id = $1 AND e.erasure_id = $2

-- finish_erasure --
-- The last trace of the shopper's ids goes with the end of it.
UPDATE erasures SET erased_at = $3, shopper_id = NULL
WHERE retailer_id = $1 AND (erasure_id = $2 OR part_of = $2) AND erased_at IS NULL

-- suppressed --
-- Which of these keyed hashes are of somebody who was erased.
SELECT subject_hash FROM erasures WHERE retailer_id = $1 AND subject_hash = ANY($2::bytea[])

-- resurrected --
-- Shoppers who were erased and are there again, as after the restoring of a backup.
SELECT s.shopper_id FROM shoppers s JOIN retailers r USING (retailer_id)
JOIN erasures e ON e.retailer_id = s.retailer_id AND e.erased_at IS NOT NULL
  AND e.subject_hash = sha256(r.secret || convert_to('.erased.' || s.shopper_id, 'UTF8'))
WHERE s.retailer_id = $1

-- any_erasure --
SELECT EXISTS (SELECT FROM erasures WHERE retailer_id = $1)

-- erasure_list --
-- The keyed hashes of all who were erased: to be kept beside the backups.
SELECT retailer_id, erasure_id, subject_hash, asked_at, erased_at FROM erasures
WHERE retailer_id = $1 AND erased_at IS NOT NULL ORDER BY erased_at, erasure_id

-- take_over_erasure --
-- An erasure that a restored backup does not know of.
INSERT INTO erasures (retailer_id, erasure_id, subject_hash, asked_by, asked_at, erased_at)
SELECT $1, $2, $3, 'restored', $4, $5 WHERE EXISTS (SELECT FROM retailers WHERE retailer_id = $1)
ON CONFLICT DO NOTHING

-- announce_erasure --
-- Tells a running engine, wherever it is, when the transaction commits.
SELECT pg_notify('vicino_erasures', $1)

-- lock_shopper --
-- Who else writes about her waits until she is gone.
SELECT FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2 FOR UPDATE

-- devices_of --
SELECT device_id FROM devices WHERE retailer_id = $1 AND shopper_id = $2

-- erase_idempotency --
-- First answers given to her devices, and those to others that name her, a device or a decision of hers.
DELETE FROM idempotency i
WHERE i.retailer_id = $1 AND (i.caller = ANY($3::text[]) OR EXISTS (
  SELECT FROM (
    SELECT unnest($3::text[] || $2::text) UNION ALL
    SELECT c.decision_id FROM coupons c WHERE c.retailer_id = $1 AND c.shopper_id = $2
  ) AS hers (name)
  WHERE position(convert_to(hers.name, 'UTF8') IN i.body) > 0))

-- erase_quarantine --
-- Inputs put aside that name her, a device or a coupon of hers; and what was wrong with records of her devices.
DELETE FROM quarantine q
WHERE q.retailer_id = $1 AND EXISTS (
  SELECT FROM (
    SELECT convert_to(unnest($3::text[] || $2::text), 'UTF8') UNION ALL
    SELECT c.code_hash FROM coupons c WHERE c.retailer_id = $1 AND c.shopper_id = $2
  ) AS hers (name)
  WHERE position(hers.name IN q.input) > 0)
OR q.retailer_id = $1 AND q.trouble_hash IN (
  SELECT trouble_hash(device_id, q.reason, q.detail, q.at) FROM unnest($3::text[]) AS hers (device_id))

-- erase_outbox --
DELETE FROM outbox WHERE retailer_id = $1 AND decision_id IN (
  SELECT decision_id FROM coupons WHERE retailer_id = $1 AND shopper_id = $2)

-- erase_inbox --
DELETE FROM inbox WHERE retailer_id = $1 AND shopper_id = $2

-- erase_coupons --
-- What her open coupons hold of their offers' budgets is given back; what was redeemed stays counted.
WITH gone AS (
  DELETE FROM coupons WHERE retailer_id = $1 AND shopper_id = $2 RETURNING offer, status, spend, purses
), freed AS (
  UPDATE ledgers l SET outstanding = l.outstanding - g.coupons, spend_reserved = l.spend_reserved - g.spend
  FROM (SELECT offer, purse, count(*) AS coupons, sum(spend) AS spend FROM gone, unnest(purses) AS purse
        WHERE status = 'reserved' GROUP BY offer, purse) AS g
  WHERE l.retailer_id = $1 AND l.offer = g.offer AND l.purse = g.purse
)
SELECT count(*) FROM gone

-- erase_decisions --
DELETE FROM decisions WHERE retailer_id = $1 AND shopper_id = $2

-- erase_lessons --
-- What was learned of her. The model in use is made again without it (`server/unlearning.py`).
DELETE FROM lessons WHERE retailer_id = $1 AND shopper_id = $2

-- erase_visits --
DELETE FROM visits WHERE retailer_id = $1 AND shopper_id = $2

-- erase_transitions --
DELETE FROM transitions WHERE retailer_id = $1 AND shopper_id = $2

-- erase_shopper_days --
-- The days that are kept are named, so that the key is used.
DELETE FROM shopper_days WHERE retailer_id = $1 AND shopper_id = $2 AND day = ANY($3::date[])

-- erase_shopper_merges --
-- What told that an anonymous shopper was she.
DELETE FROM shopper_merges WHERE retailer_id = $1 AND (shopper_id = $2 OR former_id = $2)

-- export_shopper_merges --
SELECT to_jsonb(t) AS row FROM shopper_merges t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY merged_at, former_id

-- erase_webhook_messages --
DELETE FROM webhook_messages WHERE retailer_id = $1 AND shopper_id = $2

-- export_webhook_messages --
SELECT to_jsonb(t) AS row FROM webhook_messages t WHERE retailer_id = $1 AND shopper_id = $2
ORDER BY created_at, message_id

-- erase_topic_keys --
-- What her inputs in Kafka are sealed with: they open for nobody from now on.
DELETE FROM topic_keys WHERE retailer_id = $1 AND shopper_id = $2

-- erase_late_keys --
-- … and what was made for her while her erasure was under way.
DELETE FROM topic_keys WHERE retailer_id = $1 AND shopper_id = ANY($2::text[])

-- erase_devices --
-- With them go their push addresses and refresh tokens.
DELETE FROM devices WHERE retailer_id = $1 AND shopper_id = $2

-- erase_shoppers --
DELETE FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2

-- journal_days --
-- The days of which a journal is kept: the partitions' own names tell, without reading them.
SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'journal'::regclass ORDER BY 1

-- journal_rows_with --
-- The micro-batches of a day in whose bytes one of these names occurs.
SELECT part, seq FROM journal WHERE retailer_id = $1 AND day = $2 AND EXISTS (
  SELECT FROM unnest($3::bytea[]) AS hers (name) WHERE position(hers.name IN inputs) > 0)
ORDER BY part, seq

-- journal_inputs --
SELECT part, seq, written_at, inputs FROM journal JOIN unnest($3::smallint[], $4::bigint[]) AS r (part, seq) USING (part, seq)
WHERE retailer_id = $1 AND day = $2 ORDER BY part, seq

-- rewrite_journal --
UPDATE journal j SET inputs = r.inputs FROM unnest($3::smallint[], $4::bigint[], $5::bytea[]) AS r (part, seq, inputs)
WHERE j.retailer_id = $1 AND j.day = $2 AND j.part = r.part AND j.seq = r.seq

-- records_of --
-- Her record, and as it stood under any id of hers on the mornings of the days whose journal is kept.
SELECT NULL::date AS day, state FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2
UNION ALL
SELECT day, state FROM shopper_days WHERE retailer_id = $1 AND shopper_id = ANY($4::text[])
  AND day = ANY($3::date[]) AND state IS NOT NULL
ORDER BY day NULLS FIRST

-- columns_of --
-- A table's columns with their types, in order.
SELECT a.attname AS name, t.typname AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

-- export_devices --
SELECT to_jsonb(t) AS row FROM devices t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY created_at, device_id

-- export_push_addresses --
SELECT to_jsonb(t) AS row FROM push_addresses t JOIN devices d USING (retailer_id, device_id)
WHERE t.retailer_id = $1 AND d.shopper_id = $2 ORDER BY device_id

-- export_refresh_tokens --
SELECT to_jsonb(t) AS row FROM refresh_tokens t JOIN devices d USING (retailer_id, device_id)
WHERE t.retailer_id = $1 AND d.shopper_id = $2 ORDER BY t.expires_at, token_hash

-- export_transitions --
SELECT to_jsonb(t) AS row FROM transitions t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY at, transition_id

-- export_visits --
SELECT to_jsonb(t) AS row FROM visits t WHERE retailer_id = $1 AND shopper_id = $2
ORDER BY entered_at, device_id, geofence

-- export_decisions --
SELECT to_jsonb(t) AS row FROM decisions t WHERE retailer_id = $1 AND shopper_id = $2
ORDER BY decided_at, decision_id

-- export_lessons --
-- The bytes in hexadecimal digits: what of a person is in them is in the record as well.
SELECT to_jsonb(t) || jsonb_build_object('lesson', encode(lesson, 'hex')) AS row
FROM lessons t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY seq, number

-- export_coupons --
SELECT to_jsonb(t) AS row FROM coupons t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY issued_at, decision_id

-- export_inbox --
SELECT to_jsonb(t) AS row FROM inbox t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY created_at, item_id

-- export_outbox --
SELECT to_jsonb(t) AS row FROM outbox t
WHERE retailer_id = $1 AND decision_id IN (SELECT decision_id FROM coupons WHERE retailer_id = $1 AND shopper_id = $2)
ORDER BY decided_at, push_id

-- shopper_exists --
SELECT EXISTS (SELECT FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2)

-- add_consent_changes --
INSERT INTO consent_changes (retailer_id, shopper_id, purpose, status, at, text_version, text_hash, locale,
                             expires_at, told_by)
SELECT $1, c.shopper_id, c.purpose, c.status, c.at, c.text_version, c.text_hash, c.locale, c.expires_at, c.told_by
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                           $8::text[], $9::timestamptz[], $10::text[])
  WITH ORDINALITY AS c (shopper_id, purpose, status, at, text_version, text_hash, locale, expires_at, told_by, n)
ORDER BY c.n

-- consent_changes_of --
-- Every answer of a shopper, in order.
SELECT purpose, status, at, text_version, text_hash, locale, expires_at, told_by FROM consent_changes
WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY change_id

-- ended_consents --
-- Grants that have run out and that nothing has followed yet. Those of long ago were seen to long ago.
SELECT c.shopper_id, c.purpose FROM consent_changes c
WHERE c.retailer_id = $1 AND c.status = 'granted' AND c.expires_at <= $2 AND c.expires_at > $3
  AND NOT EXISTS (SELECT FROM consent_changes n WHERE n.retailer_id = c.retailer_id
    AND n.shopper_id = c.shopper_id AND n.purpose = c.purpose AND n.change_id > c.change_id)
ORDER BY c.expires_at LIMIT 1000

-- forget_where --
-- Where these shoppers were: they no longer permit that it is known.
WITH gone AS (DELETE FROM transitions WHERE retailer_id = $1 AND shopper_id = ANY($2::text[])),
unwatched AS (
  DELETE FROM watched_regions w USING devices d
  WHERE w.retailer_id = $1 AND d.retailer_id = $1 AND d.device_id = w.device_id AND d.shopper_id = ANY($2::text[])
),
untold AS (
  DELETE FROM webhook_messages
  WHERE retailer_id = $1 AND shopper_id = ANY($2::text[]) AND type LIKE 'transition.%'
)
DELETE FROM visits WHERE retailer_id = $1 AND shopper_id = ANY($2::text[])

-- erase_consent_changes --
DELETE FROM consent_changes WHERE retailer_id = $1 AND shopper_id = $2

-- export_consent_changes --
SELECT to_jsonb(t) AS row FROM consent_changes t WHERE retailer_id = $1 AND shopper_id = $2 ORDER BY change_id

-- forget_older --
-- At most $3 rows of a table that are older than $2 go; how many it were.
SELECT forget_older($1, $2, $3)
