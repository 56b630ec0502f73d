-- inbox --
-- The shopper's offers that have not expired, newest first, from after the cursor.
SELECT item, created_at, delivered_at, opened_at, dismissed_at, item_id,
       coalesce(read_at, opened_at, dismissed_at) IS NULL AS unread
FROM inbox
WHERE retailer_id = $1 AND shopper_id = $2 AND expires_at > $3
  AND ($4::timestamptz IS NULL OR (created_at, item_id) < ($4, $5))
ORDER BY created_at DESC, item_id DESC LIMIT $6

-- unread --
-- How many of the shopper's offers that have not expired she has not seen.
SELECT count(*) FROM inbox
WHERE retailer_id = $1 AND shopper_id = $2 AND expires_at > $3 AND coalesce(read_at, opened_at, dismissed_at) IS NULL

-- read_item --
-- She has seen one in the app; the first time counts.
UPDATE inbox SET read_at = coalesce(read_at, $4) WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3
RETURNING item_id

-- inbox_item --
-- One offer of the shopper's, expired or not.
SELECT item, expires_at FROM inbox WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3

-- decision_of_item --
-- The decision behind an inbox item of the shopper's.
SELECT decision_id FROM inbox WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3

-- decision --
-- One decision with its receipt and what became of its push.
SELECT d.decision_id, d.device_id, d.decided_at, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.journaled_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o ON o.retailer_id = d.retailer_id AND o.decision_id = d.decision_id AND o.kind = 'offer'
WHERE d.retailer_id = $1 AND d.decision_id = $2

-- decisions_of_device --
-- A device's decisions, newest first, from after the cursor.
SELECT d.decision_id, d.device_id, d.decided_at, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.journaled_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o ON o.retailer_id = d.retailer_id AND o.decision_id = d.decision_id AND o.kind = 'offer'
WHERE d.retailer_id = $1 AND d.device_id = $2
  AND ($3::timestamptz IS NULL OR (d.decided_at, d.decision_id) < ($3, $4))
ORDER BY d.decided_at DESC, d.decision_id DESC LIMIT $5

-- transitions_of_device --
-- A device's newest transitions, in order: of one instant by geofence, and as a visit goes.
SELECT geofence, store, kind, at, received_at, confidence, revised FROM (
  SELECT * FROM transitions WHERE retailer_id = $1 AND device_id = $2
  ORDER BY at DESC, transition_id DESC LIMIT $3
) AS newest ORDER BY at, geofence, array_position(ARRAY['enter', 'dwell', 'exit', 'pass_by'], kind)

-- visits_of_device --
-- A device's newest visits, in order.
SELECT geofence, store, entered_at, dwelled_at, exited_at FROM (
  SELECT * FROM visits WHERE retailer_id = $1 AND device_id = $2
  ORDER BY entered_at DESC, geofence DESC LIMIT $3
) AS newest ORDER BY entered_at, geofence

-- push_counts --
-- Pushes decided in a span of time, by what became of them. What follows a colon in a reason is the provider's word.
SELECT kind, state, split_part(reason, ':', 1) AS reason, count(*) AS count FROM outbox
WHERE retailer_id = $1 AND decided_at >= $2 AND decided_at < $3
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 NULLS FIRST

-- webhook_counts --
-- Webhook messages of events in a span of time, likewise, by endpoint.
SELECT endpoint_id, state, reason, count(*) AS count FROM webhook_messages
WHERE retailer_id = $1 AND created_at >= $2 AND created_at < $3
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 NULLS FIRST
