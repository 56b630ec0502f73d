-- ask_override --
-- An administrator asks that a geofence be heard in sensitive places.
INSERT INTO overrides (retailer_id, override_id, geofence, places, reason, until, asked_by, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *

-- approve_override --
-- Another approves it.
UPDATE overrides SET approved_by = $3, approved_at = $4
WHERE retailer_id = $1 AND override_id = $2 RETURNING *

-- end_override --
-- Anyone refuses what was asked, or ends what was approved.
UPDATE overrides SET ended_by = $3, ended_at = $4
WHERE retailer_id = $1 AND override_id = $2 AND ended_at IS NULL RETURNING *

-- override --
-- One of them, and nobody else changes it meanwhile.
SELECT * FROM overrides WHERE retailer_id = $1 AND override_id = $2 FOR UPDATE

-- overrides --
-- A page of them, the newest first, whatever has become of them.
SELECT * FROM overrides
WHERE retailer_id = $1 AND ($2::timestamptz IS NULL OR (asked_at, override_id) < ($2, $3))
ORDER BY asked_at DESC, override_id DESC LIMIT $4

-- spent_overrides --
-- Those that are published and excuse nothing any more.
SELECT external_id FROM published
WHERE retailer_id = $1 AND kind = 'override' AND version_to IS NULL AND (body ->> 'until_us')::bigint <= $2
