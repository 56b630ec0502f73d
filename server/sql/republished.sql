-- judged_version --
-- The version by which the newest micro-batch was judged; none where nothing is journaled any more.
SELECT version FROM journal WHERE retailer_id = $1 AND part = $2 ORDER BY day DESC, seq DESC LIMIT 1

-- visitors --
-- Who is in one of these geofences.
SELECT DISTINCT shopper_id FROM visits
WHERE retailer_id = $1 AND exited_at IS NULL AND geofence = ANY ($2::text[])

-- visitors_of_changed --
-- Who is in a geofence that differs between two versions.
SELECT DISTINCT shopper_id FROM visits
WHERE retailer_id = $1 AND exited_at IS NULL AND EXISTS (
  SELECT FROM published
  WHERE published.retailer_id = $1 AND kind = 'geofence' AND external_id = geofence
    AND ((version_from > $2 AND version_from <= $3) OR (version_to > $2 AND version_to <= $3))
)

-- all_visitors --
-- Who is in any geofence.
SELECT DISTINCT shopper_id FROM visits WHERE retailer_id = $1 AND exited_at IS NULL

-- wake_shoppers --
-- Let these shoppers' timers be due now.
UPDATE shoppers SET wake_at = $3
WHERE retailer_id = $1 AND shopper_id = ANY ($2::text[]) AND (wake_at IS NULL OR wake_at > $3)
