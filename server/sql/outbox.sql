-- due_retailers --
-- Whose outbox has a push to claim; asked of no tenant, answered with ids alone.
SELECT retailers_with_due_pushes($1) AS retailer_id

-- claim_pushes --
-- Lease the next due pushes, skipping rows that another relay is claiming. A lease that ran out is due again.
-- The fencing token grows with each claim. What is over by now is not claimed but ended, in the same go.
WITH over AS (
  UPDATE outbox SET state = 'expired', reason = coalesce(reason, 'expired'), leased_until = NULL
  WHERE retailer_id = $1 AND expires_at <= $2
    AND (state = 'pending' OR (state = 'leased' AND leased_until <= $2))
), due AS (
  SELECT push_id FROM outbox
  WHERE retailer_id = $1 AND expires_at > $2
    AND ((state = 'pending' AND due_at <= $2) OR (state = 'leased' AND leased_until <= $2))
  ORDER BY due_at, push_id
  LIMIT $4
  FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE outbox o
  SET state = 'leased', leased_until = $3, fencing = o.fencing + 1, attempts = o.attempts + 1,
      claimed_at = coalesce(o.claimed_at, $2)
  FROM due
  WHERE o.retailer_id = $1 AND o.push_id = due.push_id
  RETURNING o.*
)
SELECT c.push_id, c.decision_id, c.shopper_id, c.device_id, c.store, c.item, c.attempts, c.fencing,
       c.received_at, c.decided_at, c.journaled_at, c.claimed_at, c.leased_until, c.expires_at, d.platform, a.kind, a.value
FROM claimed c
LEFT JOIN devices d USING (retailer_id, device_id)
LEFT JOIN push_addresses a USING (retailer_id, device_id)
ORDER BY c.due_at, c.push_id

-- settle_pushes --
-- What became of claimed pushes. A row that another relay has claimed since keeps that relay's fencing token
-- and is left alone. One that was withdrawn while it was under way stays so, unless it was in fact sent.
UPDATE outbox o
SET state = s.state, reason = s.reason, due_at = coalesce(s.due_at, o.due_at), leased_until = NULL,
    accepted_at = s.accepted_at, provider_id = s.provider_id
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[])
  AS s (push_id, fencing, state, reason, due_at, accepted_at, provider_id)
WHERE o.retailer_id = $1 AND o.push_id = s.push_id AND o.fencing = s.fencing
  AND (o.state = 'leased' OR (o.state = 'withdrawn' AND s.state = 'sent'))
RETURNING o.push_id

-- forget_addresses --
-- Addresses that the provider called dead, unless the device has told us another one since.
DELETE FROM push_addresses a
USING unnest($2::text[], $3::text[], $4::text[]) AS g (device_id, kind, value)
WHERE a.retailer_id = $1 AND a.device_id = g.device_id AND a.kind = g.kind AND a.value = g.value

-- withdraw_pushes --
-- What is not yet sent will not be. For some shoppers of the transaction's retailer, at one store or at all.
UPDATE outbox SET state = 'withdrawn', reason = $2, leased_until = NULL
WHERE retailer_id = current_retailer() AND shopper_id = ANY($1::text[]) AND state IN ('pending', 'leased')
  AND ($3::text IS NULL OR store = $3)
RETURNING push_id
