-- lock_head --
-- Take a part's place in line: its micro-batches are written in the order of this lock.
SELECT h.journal_seq, r.version, r.secret FROM heads h JOIN retailers r USING (retailer_id)
WHERE h.retailer_id = $1 AND h.part = $2
FOR NO KEY UPDATE OF h

-- open_head --
-- A part's line, before anything is in it. It begins beyond all others: whoever was in another part until now has
-- a state as of one of those entries.
INSERT INTO heads (retailer_id, part, journal_seq)
SELECT retailer_id, $2, coalesce((SELECT max(journal_seq) FROM heads WHERE retailer_id = $1), 0)
FROM retailers WHERE retailer_id = $1
ON CONFLICT DO NOTHING

-- own_partition --
-- Whether a partition is still of this epoch, and let it be so until the commit.
SELECT FROM partitions WHERE part = $1 AND epoch = $2 FOR SHARE

-- append_journal --
-- One micro-batch in the journal …
INSERT INTO journal (retailer_id, part, seq, day, written_at, version, inputs) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- raise_head --
-- … and the head moved on to it.
UPDATE heads SET journal_seq = $3, next_offset = coalesce($4, next_offset) WHERE retailer_id = $1 AND part = $2

-- move_head --
-- A micro-batch of which nothing is journaled is done, too.
UPDATE heads SET next_offset = $3 WHERE retailer_id = $1 AND part = $2

-- append_alone --
-- The same in a transaction of its own, if the head is where it is expected.
SELECT append_alone($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- load_records --
-- The packed state of shoppers.
SELECT shopper_id, state, state_day, state_seq FROM shoppers
WHERE retailer_id = $1 AND shopper_id = ANY($2::text[])

-- states_of --
-- The same, in a transaction of its own.
SELECT shopper_id, state, state_day, state_seq FROM states_of($1, $2)

-- find_users --
-- Which shopper a keyed hash of the retailer's own user id stands for.
SELECT user_hash, shopper_id FROM shoppers WHERE retailer_id = $1 AND user_hash = ANY($2::bytea[])

-- whose_devices --
-- Whose these devices are now.
SELECT device_id, shopper_id FROM devices WHERE retailer_id = $1 AND device_id = ANY($2::text[])

-- due_wakes --
-- The timers of all devices, soonest first, as they stand when an engine takes over.
SELECT shopper_id, wake_at FROM shoppers WHERE retailer_id = $1 AND wake_at IS NOT NULL

-- keep_day_start --
-- Before the day's first change of a shopper's state: keep it as it was (nothing, if she is new). The rows are
-- locked first, and in order: a checkpoint may be writing some of them.
WITH before AS (
  SELECT shopper_id, state FROM shoppers WHERE retailer_id = $1 AND shopper_id = ANY($3::text[])
  ORDER BY shopper_id FOR NO KEY UPDATE
)
INSERT INTO shopper_days (retailer_id, day, shopper_id, state)
SELECT $1, $2, changed.shopper_id, s.state
FROM unnest($3::text[]) AS changed (shopper_id) LEFT JOIN before s USING (shopper_id)
ON CONFLICT DO NOTHING

-- save_records --
-- The new state of every shopper of whom more has changed than where she is, as of journal entry $7.
INSERT INTO shoppers (retailer_id, shopper_id, user_hash, state, state_day, state_seq, wake_at)
SELECT $1, r.shopper_id, r.user_hash, r.state, $2, $7, r.wake_at
FROM unnest($3::text[], $4::bytea[], $5::bytea[], $6::timestamptz[])
  AS r (shopper_id, user_hash, state, wake_at)
ORDER BY r.shopper_id
ON CONFLICT (retailer_id, shopper_id) DO UPDATE
SET state = excluded.state, state_day = excluded.state_day, state_seq = excluded.state_seq,
    wake_at = excluded.wake_at, user_hash = coalesce(excluded.user_hash, shoppers.user_hash)

-- save_checkpoint --
-- States as of journal entry $6 of shoppers who were only somewhere since. Never waits: a row that is locked is
-- being written by a batch. Before a state's first change of its day it is kept as it was.
WITH free AS (
  SELECT s.shopper_id, s.state, s.state_day FROM shoppers s
  WHERE s.retailer_id = $1 AND s.shopper_id = ANY($2::text[]) AND s.state_seq < $6
  ORDER BY s.shopper_id FOR NO KEY UPDATE SKIP LOCKED
), given AS (
  SELECT * FROM unnest($2::text[], $3::bytea[], $4::date[], $5::timestamptz[])
    AS g (shopper_id, state, day, wake_at)
), kept AS (
  INSERT INTO shopper_days (retailer_id, day, shopper_id, state)
  SELECT $1, g.day, g.shopper_id, f.state FROM free f JOIN given g USING (shopper_id) WHERE f.state_day < g.day
  ON CONFLICT DO NOTHING
)
UPDATE shoppers s SET state = g.state, state_day = g.day, state_seq = $6, wake_at = g.wake_at
FROM given g JOIN free f USING (shopper_id)
WHERE s.retailer_id = $1 AND s.shopper_id = g.shopper_id
RETURNING s.shopper_id

-- set_checkpoint --
-- Up to which entry no state is behind.
INSERT INTO checkpoints AS c (retailer_id, part, seq, day) VALUES ($1, $2, $3, $4)
ON CONFLICT (retailer_id, part) DO UPDATE SET seq = excluded.seq, day = excluded.day WHERE c.seq < excluded.seq

-- checkpoint --
-- From where a restart has to read the journal.
SELECT seq, day FROM checkpoints WHERE retailer_id = $1 AND part = $2

-- add_devices --
-- Devices that registered; one that is known keeps its row.
INSERT INTO devices (retailer_id, device_id, shopper_id, platform, by_app_key, public_key)
SELECT $1, d.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::bytea[]) AS d
ON CONFLICT (retailer_id, device_id) DO NOTHING

-- set_addresses --
-- The push address of a device: one, confirmed now.
INSERT INTO push_addresses (retailer_id, device_id, kind, value, confirmed_at)
SELECT $1, a.device_id, a.kind, a.value, $5
FROM unnest($2::text[], $3::text[], $4::text[]) AS a (device_id, kind, value)
ON CONFLICT (retailer_id, device_id) DO UPDATE
SET kind = excluded.kind, value = excluded.value, confirmed_at = excluded.confirmed_at

-- retract_transitions --
-- A late fix proved these wrong.
DELETE FROM transitions WHERE retailer_id = $1 AND transition_id = ANY($2::text[])

-- retract_visits --
-- The visits whose entry was proved wrong.
DELETE FROM visits v USING unnest($2::text[], $3::text[], $4::timestamptz[]) AS r (device_id, geofence, entered_at)
WHERE v.retailer_id = $1 AND v.device_id = r.device_id AND v.geofence = r.geofence AND v.entered_at = r.entered_at

-- reopen_visits --
-- Take back the dwell or the exit of visits that otherwise stand.
UPDATE visits v
SET dwelled_at = CASE WHEN r.dwell THEN NULL ELSE v.dwelled_at END,
    exited_at = CASE WHEN r.exit THEN NULL ELSE v.exited_at END
FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bool[], $6::bool[])
  AS r (device_id, geofence, entered_at, dwell, exit)
WHERE v.retailer_id = $1 AND v.device_id = r.device_id AND v.geofence = r.geofence AND v.entered_at = r.entered_at

-- add_transitions --
-- What the fence engine saw.
INSERT INTO transitions (retailer_id, transition_id, device_id, shopper_id, geofence, store, kind, at,
                         received_at, confidence, revised)
SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                           $8::timestamptz[], $9::timestamptz[], $10::real[], $11::bool[]) AS t
ON CONFLICT DO NOTHING

-- put_visits --
-- Entries, dwells and exits of visits, one row a visit.
INSERT INTO visits (retailer_id, device_id, geofence, entered_at, shopper_id, store, dwelled_at, exited_at)
SELECT $1, v.* FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
                           $7::timestamptz[], $8::timestamptz[]) AS v
ON CONFLICT (retailer_id, device_id, geofence, entered_at) DO UPDATE
SET dwelled_at = coalesce(excluded.dwelled_at, visits.dwelled_at),
    exited_at = coalesce(excluded.exited_at, visits.exited_at)

-- lock_ledgers --
-- What the offers have given out so far, locked until the batch commits: exact whoever else decides.
SELECT l.offer, l.purse, l.issued, l.outstanding, l.redeemed, l.spend_reserved, l.spend_committed
FROM ledgers l JOIN unnest($2::text[], $3::text[]) AS asked (offer, purse) USING (offer, purse)
WHERE l.retailer_id = $1 ORDER BY l.offer, l.purse FOR UPDATE OF l

-- open_ledgers --
-- A row to lock for every offer with a budget that may be decided on.
INSERT INTO ledgers (retailer_id, offer, purse, opened_at)
SELECT $1, offer, purse, $4 FROM unnest($2::text[], $3::text[]) AS asked (offer, purse)
ORDER BY offer, purse ON CONFLICT DO NOTHING

-- lock_codes --
-- So many free codes of each of these pools, held until the batch commits.
SELECT wanted.pool, free.code_hash, free.sealed, free.sealed_by
FROM unnest($2::text[]) AS wanted (pool) CROSS JOIN LATERAL (
  SELECT p.code_hash, p.sealed, p.sealed_by FROM pool_codes p
  WHERE p.retailer_id = $1 AND p.pool = wanted.pool AND p.given_at IS NULL
  ORDER BY p.code_hash LIMIT $3 FOR UPDATE SKIP LOCKED
) AS free

-- give_codes --
-- These are given out: nothing is left here but that they were.
UPDATE pool_codes SET given_at = $3, sealed = NULL WHERE retailer_id = $1 AND code_hash = ANY ($2::bytea[])

-- given_to_shoppers --
-- What shoppers have had of offers since a time, by their coupons: counted once the offers' ledgers are locked.
SELECT asked.number, count(*) AS issued, count(*) FILTER (WHERE c.status <> 'expired') AS held,
       coalesce(sum(c.spend) FILTER (WHERE c.status <> 'expired'), 0) AS spend
FROM unnest($2::int[], $3::text[], $4::text[], $5::timestamptz[]) AS asked (number, offer, shopper_id, since)
JOIN coupons c ON c.retailer_id = $1 AND c.shopper_id = asked.shopper_id AND c.offer = asked.offer
  AND c.issued_at >= asked.since
GROUP BY asked.number

-- lock_quotas --
-- How many offers went out today, per scope, locked likewise.
SELECT scope, sent FROM quotas WHERE retailer_id = $1 AND day = $2 AND scope = ANY($3::text[])
ORDER BY scope FOR UPDATE

-- open_quotas --
-- A row to lock for every scope with a limit.
INSERT INTO quotas (retailer_id, day, scope) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING

-- reserve_ledgers --
-- Coupons issued by this batch, and what they can cost at the most.
INSERT INTO ledgers AS l (retailer_id, offer, purse, issued, outstanding, spend_reserved, opened_at)
SELECT $1, r.offer, r.purse, r.coupons, r.coupons, r.spend, $6
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::numeric[]) AS r (offer, purse, coupons, spend)
ORDER BY r.offer, r.purse
ON CONFLICT (retailer_id, offer, purse) DO UPDATE
SET issued = l.issued + excluded.issued, outstanding = l.outstanding + excluded.outstanding,
    spend_reserved = l.spend_reserved + excluded.spend_reserved

-- move_ledgers --
-- What redemptions and reversals of this batch moved, of locked purses.
UPDATE ledgers l SET outstanding = l.outstanding + m.outstanding, redeemed = l.redeemed + m.redeemed,
  spend_reserved = l.spend_reserved + m.reserved, spend_committed = l.spend_committed + m.committed
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::numeric[], $7::numeric[])
  AS m (offer, purse, outstanding, redeemed, reserved, committed)
WHERE l.retailer_id = $1 AND l.offer = m.offer AND l.purse = m.purse

-- count_quotas --
-- Offers decided by this batch.
UPDATE quotas q SET sent = q.sent + r.sent FROM unnest($3::text[], $4::bigint[]) AS r (scope, sent)
WHERE q.retailer_id = $1 AND q.day = $2 AND q.scope = r.scope

-- add_decisions --
-- Offers and silences, each with its receipt.
INSERT INTO decisions (retailer_id, version, part, journal_seq, decision_id, moment_id, shopper_id, device_id, store,
                       outcome, offer, reasons, decided_at, receipt)
SELECT $1, $2, $3, $4, d.decision_id, d.moment_id, d.shopper_id, d.device_id, d.store,
       d.outcome, d.offer, d.reasons::text[], d.decided_at, d.receipt
FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
            $13::timestamptz[], $14::jsonb[])
  AS d (decision_id, moment_id, shopper_id, device_id, store, outcome, offer, reasons, decided_at, receipt)

-- add_coupons --
-- The reserved coupons of offers.
INSERT INTO coupons (retailer_id, code_hash, decision_id, shopper_id, offer, sku, store, spend, discount,
                     issued_at, expires_at, purses, static_hash)
SELECT $1, c.code_hash, c.decision_id, c.shopper_id, c.offer, c.sku, c.store, c.spend, c.discount,
       c.issued_at, c.expires_at, c.purses::text[], c.static_hash
FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[], $9::jsonb[],
            $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bytea[])
  AS c (code_hash, decision_id, shopper_id, offer, sku, store, spend, discount,
        issued_at, expires_at, purses, static_hash)

-- add_inbox --
-- The offers in the apps' inboxes, whether or not a push is shown.
INSERT INTO inbox (retailer_id, item_id, shopper_id, device_id, decision_id, item, created_at, expires_at)
SELECT $1, i.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[],
                           $8::timestamptz[]) AS i

-- add_outbox --
-- The pushes to be sent, in the decisions' own transaction.
INSERT INTO outbox (retailer_id, journaled_at, at_most_once, push_id, decision_id, shopper_id, device_id, store, item,
                    state, reason, due_at, received_at, decided_at, expires_at)
SELECT $1, $2, $3, o.push_id, o.decision_id, o.shopper_id, o.device_id, o.store, o.item,
       o.state, o.reason, o.decided_at, o.received_at, o.decided_at, o.expires_at
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::jsonb[], $10::text[], $11::text[],
            $12::timestamptz[], $13::timestamptz[], $14::timestamptz[])
  AS o (push_id, decision_id, shopper_id, device_id, store, item, state, reason, decided_at, received_at, expires_at)

-- note_outcome --
-- What became of a push on the phone; the first report of each kind counts.
UPDATE inbox SET
  delivered_at = CASE WHEN $4 = 'delivered' THEN coalesce(delivered_at, $5) ELSE delivered_at END,
  opened_at = CASE WHEN $4 = 'opened' THEN coalesce(opened_at, $5) ELSE opened_at END,
  dismissed_at = CASE WHEN $4 = 'dismissed' THEN coalesce(dismissed_at, $5) ELSE dismissed_at END
WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3

-- forget_ledgers --
-- Purses of periods that are long over and hold nothing any more.
DELETE FROM ledgers WHERE retailer_id = $1 AND opened_at < $2 AND purse LIKE '%=____-__-__' AND outstanding = 0

-- quarantine --
-- An input that could not be processed, out of its batch's way.
INSERT INTO quarantine (retailer_id, reason, detail, input) VALUES ($1, $2, $3, $4)

-- journal_of_day --
-- A day's micro-batches in order, from after an entry.
SELECT seq, day, written_at, version, inputs FROM journal
WHERE retailer_id = $1 AND day = $2 AND part = $3 AND seq > $4 ORDER BY seq

-- journal_size --
-- How many micro-batches a day has.
SELECT count(*) FROM journal WHERE retailer_id = $1 AND day = $2

-- newest_day --
-- The day of the journal's newest entry.
SELECT max(day) FROM journal WHERE retailer_id = $1 AND part = $2

-- all_states --
-- The packed states of all shoppers, in one order on every machine.
SELECT shopper_id, state FROM shoppers WHERE retailer_id = $1 ORDER BY shopper_id COLLATE "C"

-- retailer_ids --
-- Every retailer of this installation: ids, nothing else.
SELECT retailer_ids()

-- secret --
-- The secret that keys the retailer's hashes.
SELECT secret FROM retailers WHERE retailer_id = $1

-- first_time --
-- Claim an Idempotency-Key; the row of an earlier request with it wins.
INSERT INTO idempotency (retailer_id, caller, key, request_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (retailer_id, caller, key) DO UPDATE SET key = excluded.key
RETURNING request_hash, status, body

-- set_answer --
-- Keep the answer of the request that claimed the key.
UPDATE idempotency SET status = $4, body = $5 WHERE retailer_id = $1 AND caller = $2 AND key = $3

-- forget_answers --
-- Answers are kept for a day.
DELETE FROM idempotency WHERE retailer_id = $1 AND created_at < $2

-- records_at_day_start --
-- Shoppers' states as they stood when the day began; nobody who was unknown then.
SELECT asked.shopper_id, CASE WHEN kept.shopper_id IS NULL THEN s.state ELSE kept.state END AS state
FROM unnest($3::text[]) AS asked (shopper_id)
LEFT JOIN LATERAL (
  SELECT d.shopper_id, d.state FROM shopper_days d
  WHERE d.retailer_id = $1 AND d.shopper_id = asked.shopper_id AND d.day >= $2
  ORDER BY d.day LIMIT 1
) AS kept ON true
LEFT JOIN shoppers s ON s.retailer_id = $1 AND s.shopper_id = asked.shopper_id

-- receipts_of_batch --
-- The decisions that a micro-batch led to.
SELECT decision_id, moment_id, receipt FROM decisions WHERE retailer_id = $1 AND part = $2 AND journal_seq = $3

-- states_of_day --
-- The states of those whose newest change was on that day, and as of which entry.
SELECT shopper_id, state, state_seq FROM shoppers WHERE retailer_id = $1 AND state_day = $2

-- open_journal_day --
-- The partition of a day, before its first row.
SELECT open_journal_day($1)

-- drop_journal_days --
-- The end of the journal's retention: the days before this one, whole.
SELECT drop_journal_days($1)

-- decided_before --
-- Which of these moments an earlier micro-batch has decided.
SELECT moment_id FROM decisions
WHERE retailer_id = $1 AND moment_id = ANY($2::text[]) AND (part <> $3 OR journal_seq < $4)

-- forget_tokens --
-- Refresh tokens that have run out, or were used long ago: a copy of those is refused as unknown.
DELETE FROM refresh_tokens WHERE retailer_id = $1 AND (expires_at < $2 OR used_at < $3)
