-- present --
-- Shoppers in each geofence now, of the stores $3 (NULL: of all).
SELECT geofence, store, count(DISTINCT shopper_id) AS shoppers FROM visits
WHERE retailer_id = $1 AND exited_at IS NULL AND entered_at > $2 AND ($3::text[] IS NULL OR store = ANY ($3))
GROUP BY geofence, store ORDER BY geofence

-- present_anywhere --
-- Shoppers in any of them.
SELECT count(DISTINCT shopper_id) FROM visits
WHERE retailer_id = $1 AND exited_at IS NULL AND entered_at > $2 AND ($3::text[] IS NULL OR store = ANY ($3))

-- standing --
-- What waits and since when it is due, what was put aside, and when something was learned last.
SELECT (SELECT count(*) FROM outbox WHERE retailer_id = $1 AND state IN ('pending', 'leased')) AS pushes,
  (SELECT min(due_at) FROM outbox WHERE retailer_id = $1 AND state IN ('pending', 'leased')) AS oldest_push,
  (SELECT count(*) FROM webhook_messages WHERE retailer_id = $1 AND state IN ('pending', 'leased')) AS webhooks,
  (SELECT min(due_at) FROM webhook_messages WHERE retailer_id = $1 AND state IN ('pending', 'leased')) AS oldest_webhook,
  (SELECT count(*) FROM quarantine WHERE retailer_id = $1) AS put_aside,
  (SELECT learned_at FROM lessons WHERE retailer_id = $1 ORDER BY learned_at DESC LIMIT 1) AS learned_at

-- newest_aside --
-- The newest that were put aside: why, and what they were.
SELECT at, reason, detail FROM quarantine WHERE retailer_id = $1 ORDER BY quarantine_id DESC LIMIT $2

-- versions --
-- Every version of one published thing, newest first.
SELECT version_from AS version, version_to AS ended_by, published_at, published_by, body FROM published
WHERE retailer_id = $1 AND kind = $2 AND external_id = $3 ORDER BY version_from DESC LIMIT 200

-- newest_moments --
-- Decisions below journal entry $2 and id $3 (NULL: the newest), of the stores $4 and the outcome $5 (NULL: all).
SELECT d.decision_id, d.decided_at, d.journal_seq, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.journaled_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o USING (retailer_id, decision_id)
WHERE d.retailer_id = $1 AND ($2::bigint IS NULL OR (d.journal_seq, d.decision_id) < ($2, $3))
  AND ($4::text[] IS NULL OR d.store = ANY ($4)) AND ($5::text IS NULL OR d.outcome = $5)
ORDER BY d.journal_seq DESC, d.decision_id DESC LIMIT $6

-- newest_entry --
-- The newest journal entry with a decision.
SELECT coalesce(max(journal_seq), 0) FROM decisions WHERE retailer_id = $1

-- moments_since --
-- Decisions after journal entry $2, oldest first, and those of $3, whose pushes were under way.
SELECT d.decision_id, d.decided_at, d.journal_seq, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.journaled_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o USING (retailer_id, decision_id)
WHERE d.retailer_id = $1 AND d.journal_seq > $2
UNION ALL
SELECT d.decision_id, d.decided_at, d.journal_seq, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.journaled_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o USING (retailer_id, decision_id)
WHERE d.retailer_id = $1 AND d.journal_seq <= $2 AND d.decision_id = ANY ($3)
ORDER BY journal_seq, decision_id LIMIT 500

-- shopper_by_user_id --
SELECT shopper_id FROM shoppers WHERE retailer_id = $1 AND user_hash = $2

-- shopper_by_device_id --
SELECT shopper_id FROM devices WHERE retailer_id = $1 AND device_id = $2

-- shopper_by_shopper_id --
SELECT shopper_id FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2

-- kept_of --
-- How much is kept of a shopper, in counts.
SELECT (SELECT created_at FROM shoppers WHERE retailer_id = $1 AND shopper_id = $2) AS known_since,
  (SELECT count(*) FROM devices WHERE retailer_id = $1 AND shopper_id = $2) AS devices,
  (SELECT count(*) FROM visits WHERE retailer_id = $1 AND shopper_id = $2) AS visits,
  (SELECT count(*) FROM decisions WHERE retailer_id = $1 AND shopper_id = $2) AS decisions,
  (SELECT count(*) FROM inbox WHERE retailer_id = $1 AND shopper_id = $2) AS offers,
  (SELECT count(*) FROM coupons WHERE retailer_id = $1 AND shopper_id = $2 AND status = 'redeemed') AS redeemed
