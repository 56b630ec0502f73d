-- due_retailers --
-- Whose outbox has a push to claim; asked of no tenant, answered with ids alone.
SELECT retailers_with_due_pushes($1) AS retailer_id

-- claim_pushes --
-- Lease the next due pushes, skipping rows that another relay is claiming. A lease that ran out is due again.
-- The fencing token grows with each claim. What is over by now is not claimed but ended, in the same go.
WITH over AS (
  UPDATE outbox SET state = 'expired', reason = coalesce(reason, 'expired'), leased_until = NULL
  WHERE retailer_id = $1 AND expires_at <= $2 AND state IN ('pending', 'leased')
    AND (state = 'pending' OR leased_until <= $2)
), due AS (
  SELECT push_id, state = 'leased' AS in_doubt FROM outbox
  WHERE retailer_id = $1 AND expires_at > $2 AND state IN ('pending', 'leased') AND due_at <= $2
    AND (state = 'pending' OR leased_until <= $2)
  ORDER BY due_at, push_id
  LIMIT $4
  FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE outbox o
  SET state = 'leased', leased_until = $3, fencing = o.fencing + 1, attempts = o.attempts + 1,
      claimed_at = coalesce(o.claimed_at, $2)
  WHERE o.retailer_id = $1 AND o.push_id = ANY (ARRAY(SELECT push_id FROM due))
  RETURNING o.*
)
SELECT c.push_id, c.kind, c.at_most_once, due.in_doubt, c.decision_id, c.shopper_id, c.device_id, c.store, c.item, c.attempts, c.fencing,
       c.received_at, c.decided_at, c.journaled_at, c.claimed_at, c.leased_until, c.expires_at,
       d.platform, a.kind AS address_kind, a.value
FROM claimed c JOIN due USING (push_id)
-- Looked up one by one: a join may read a whole table for a few rows of it.
LEFT JOIN LATERAL (SELECT platform FROM devices
                   WHERE retailer_id = $1 AND device_id = c.device_id LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT kind, value FROM push_addresses
                   WHERE retailer_id = $1 AND device_id = c.device_id LIMIT 1) a ON true
ORDER BY c.due_at, c.push_id

-- settle_pushes --
-- What became of claimed pushes. A row that another relay has claimed since keeps that relay's fencing token
-- and is left alone. One that was withdrawn while it was under way stays so, unless it was in fact sent; it is told
-- then whether she had left.
WITH told AS (
  SELECT * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[])
    AS s (push_id, fencing, state, reason, due_at, accepted_at, provider_id)
), before AS (
  SELECT o.push_id, o.state = 'withdrawn' AND o.reason = 'left' AS had_left
  FROM outbox o JOIN told USING (push_id)
  WHERE o.retailer_id = $1 AND o.push_id = ANY ($2::text[]) AND o.fencing = told.fencing
    AND (o.state = 'leased' OR (o.state = 'withdrawn' AND told.state = 'sent'))
  ORDER BY o.push_id FOR UPDATE OF o
)
UPDATE outbox o
SET state = s.state, reason = s.reason, due_at = coalesce(s.due_at, o.due_at), leased_until = NULL,
    accepted_at = s.accepted_at, provider_id = s.provider_id
FROM told s JOIN before b USING (push_id)
WHERE o.retailer_id = $1 AND o.push_id = ANY ($2::text[]) AND o.push_id = s.push_id
RETURNING o.push_id, b.had_left

-- recall_pushes --
-- Takes pushes back that were sent and are not over: a push to the same device that shows nothing and takes their
-- place. Once each.
INSERT INTO outbox (retailer_id, push_id, decision_id, shopper_id, device_id, store, item, kind,
                    due_at, received_at, decided_at, expires_at)
SELECT o.retailer_id, 'rcl_' || substr(o.push_id, 5), o.decision_id, o.shopper_id, o.device_id, o.store,
       jsonb_build_object('recalls', o.push_id), 'recall', $3, $3, $3, o.expires_at
FROM outbox o
WHERE o.retailer_id = $1 AND o.push_id = ANY($2::text[]) AND o.state = 'sent' AND o.expires_at > $3
ON CONFLICT DO NOTHING
RETURNING push_id

-- shown_pushes --
-- What was sent to shoppers about stores that they have left since, and that is neither over nor looked at.
SELECT o.push_id FROM outbox o JOIN inbox i USING (retailer_id, decision_id)
JOIN unnest($2::text[], $3::text[]) AS gone (shopper_id, store)
  ON o.shopper_id = gone.shopper_id AND o.store = gone.store
WHERE o.retailer_id = $1 AND o.state = 'sent' AND o.kind = 'offer' AND o.expires_at > $4
  AND i.opened_at IS NULL AND i.dismissed_at IS NULL

-- forget_addresses --
-- Addresses that the provider called dead, unless the device has told us another one since.
DELETE FROM push_addresses a
USING unnest($2::text[], $3::text[], $4::text[]) AS g (device_id, kind, value)
WHERE a.retailer_id = $1 AND a.device_id = g.device_id AND a.kind = g.kind AND a.value = g.value

-- withdraw_pushes --
-- What is not yet sent will not be. For some shoppers of the transaction's retailer, at one store or at all.
UPDATE outbox SET state = 'withdrawn', reason = $2, leased_until = NULL
WHERE retailer_id = current_retailer() AND shopper_id = ANY($1::text[]) AND state IN ('pending', 'leased')
  AND kind = 'offer'
  AND ($3::text IS NULL OR store = $3)
RETURNING push_id

-- withdraw_left --
-- The same for who has left a store, by pairs of shopper and store.
UPDATE outbox o SET state = 'withdrawn', reason = 'left', leased_until = NULL
FROM unnest($2::text[], $3::text[]) AS gone (shopper_id, store)
WHERE o.retailer_id = $1 AND o.shopper_id = gone.shopper_id AND o.store = gone.store
  AND o.state IN ('pending', 'leased') AND o.kind = 'offer'

-- supersede_pushes --
-- What waits to be tried again for a device that has a newer offer now will not be.
UPDATE outbox o SET state = 'superseded', reason = 'newer_offer'
WHERE o.retailer_id = $1 AND o.device_id = ANY($2::text[]) AND o.kind = 'offer' AND o.state = 'pending' AND o.attempts > 0

-- prune_addresses --
-- Addresses that no app has confirmed for long, of devices that have not asked for a token since either.
DELETE FROM push_addresses a
WHERE a.retailer_id = $1 AND a.confirmed_at < $2
  AND NOT EXISTS (SELECT FROM refresh_tokens t
                  WHERE t.retailer_id = $1 AND t.device_id = a.device_id AND t.expires_at > $3)
