-- add_endpoint --
-- An endpoint that wants these types of events from now on.
INSERT INTO webhook_endpoints (retailer_id, endpoint_id, url, types) VALUES ($1, $2, $3, $4)
RETURNING *

-- endpoints --
-- A retailer's endpoints, the oldest first.
SELECT * FROM webhook_endpoints WHERE retailer_id = $1
ORDER BY created_at, endpoint_id

-- endpoint --
-- One of them.
SELECT * FROM webhook_endpoints WHERE retailer_id = $1 AND endpoint_id = $2

-- remove_endpoint --
-- With its messages.
DELETE FROM webhook_endpoints WHERE retailer_id = $1 AND endpoint_id = $2 RETURNING endpoint_id

-- rotate_secret --
-- The next generation of the secret; the one before is used beside it for a time.
UPDATE webhook_endpoints SET generation = generation + 1, overlap_until = $3
WHERE retailer_id = $1 AND endpoint_id = $2
RETURNING *

-- disable_endpoint --
-- Nothing is sent to it any more, and nothing new is put into its queue.
UPDATE webhook_endpoints SET disabled_at = $3, disabled_reason = $4
WHERE retailer_id = $1 AND endpoint_id = $2 AND disabled_at IS NULL

-- enable_endpoint --
-- Hears of what happens from now on.
UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL
WHERE retailer_id = $1 AND endpoint_id = $2
RETURNING *

-- messages --
-- What was sent to an endpoint and what became of it, newest first; $5 narrows it to one state.
SELECT message_id, type, state, reason, status, attempts, created_at, settled_at FROM webhook_messages
WHERE retailer_id = $1 AND endpoint_id = $2
  AND ($3::timestamptz IS NULL OR (created_at, message_id) < ($3, $4))
  AND ($5::text IS NULL OR state = $5)
ORDER BY created_at DESC, message_id DESC LIMIT $6

-- replay_messages --
-- Sends what is settled once more, for another 24 hours, under the same ids.
UPDATE webhook_messages
SET state = 'pending', reason = NULL, attempts = 0, queued_at = $6, due_at = $6, settled_at = NULL
WHERE retailer_id = $1 AND endpoint_id = $2 AND state IN ('delivered', 'failed')
  AND created_at >= $3 AND created_at < $4 AND state = ANY ($5::text[])

-- due_endpoints --
-- Who has a message to send; asked of no tenant.
SELECT retailer_id, endpoint_id FROM webhooks_due($1)

-- claim_messages --
-- Lease an endpoint's next due messages. A lease that ran out is due again; the fencing token grows with each claim.
-- Those of a disabled endpoint are ended in the same go.
WITH ended AS (
  UPDATE webhook_messages m SET state = 'failed', reason = 'disabled', settled_at = $3, leased_until = NULL
  FROM webhook_endpoints e
  WHERE m.retailer_id = $1 AND m.endpoint_id = $2 AND m.state IN ('pending', 'leased')
    AND e.retailer_id = $1 AND e.endpoint_id = $2 AND e.disabled_at IS NOT NULL
), due AS (
  SELECT message_id FROM webhook_messages
  WHERE retailer_id = $1 AND endpoint_id = $2
    AND ((state = 'pending' AND due_at <= $3) OR (state = 'leased' AND leased_until <= $3))
    AND EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = $1 AND endpoint_id = $2 AND disabled_at IS NULL)
  ORDER BY due_at, message_id
  LIMIT $5
  FOR UPDATE SKIP LOCKED
)
UPDATE webhook_messages m
SET state = 'leased', leased_until = $4, fencing = m.fencing + 1, attempts = m.attempts + 1
FROM due WHERE m.retailer_id = $1 AND m.message_id = due.message_id
RETURNING m.message_id, m.payload, m.attempts, m.fencing, m.queued_at

-- settle_message --
-- What became of a claimed message, unless somebody else has claimed it since.
UPDATE webhook_messages
SET state = $4, reason = $5, status = $6, due_at = coalesce($7, due_at), leased_until = NULL,
    settled_at = CASE WHEN $4 = 'pending' THEN NULL ELSE $8::timestamptz END
WHERE retailer_id = $1 AND message_id = $2 AND fencing = $3 AND state = 'leased'

-- forget_messages --
-- What was settled long ago.
DELETE FROM webhook_messages WHERE retailer_id = $1 AND settled_at < $2

-- retailer_secret --
-- What the endpoints' secrets are derived from.
SELECT secret FROM retailers WHERE retailer_id = $1
