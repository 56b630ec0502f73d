-- inbox --
-- The shopper's offers that have not expired, newest first, from after the cursor.
SELECT item, created_at, delivered_at, opened_at, dismissed_at, item_id
FROM inbox
WHERE retailer_id = $1 AND shopper_id = $2 AND expires_at > $3
  AND ($4::timestamptz IS NULL OR (created_at, item_id) < ($4, $5))
ORDER BY created_at DESC, item_id DESC LIMIT $6

-- inbox_item --
-- One offer of the shopper's, expired or not.
SELECT item, expires_at FROM inbox WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3

-- decision_of_item --
-- The decision behind an inbox item of the shopper's.
SELECT decision_id FROM inbox WHERE retailer_id = $1 AND shopper_id = $2 AND item_id = $3

-- decision --
-- One decision with its receipt and what became of its push.
SELECT d.decision_id, d.device_id, d.decided_at, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o USING (retailer_id, decision_id)
WHERE d.retailer_id = $1 AND d.decision_id = $2

-- decisions_of_device --
-- A device's decisions, newest first, from after the cursor.
SELECT d.decision_id, d.device_id, d.decided_at, d.receipt, o.state, o.reason, o.received_at,
       o.decided_at AS queued_at, o.claimed_at, o.accepted_at
FROM decisions d LEFT JOIN outbox o USING (retailer_id, decision_id)
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
