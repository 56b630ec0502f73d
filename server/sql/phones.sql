-- find_phone --
-- A device: whose it is, and who may speak for it.
SELECT shopper_id, by_app_key FROM devices WHERE retailer_id = $1 AND device_id = $2

-- put_aside --
-- A record of a phone that could not be read: once a day, device and kind of trouble.
INSERT INTO quarantine (retailer_id, at, reason, detail, trouble_hash)
VALUES ($1, $2, $4, $5, trouble_hash($3, $4, $5, $2)) ON CONFLICT DO NOTHING

-- watched_of --
-- The circles that a phone was told to watch.
SELECT circles FROM watched_regions WHERE retailer_id = $1 AND device_id = $2

-- put_watched --
-- What a phone watches from now on.
INSERT INTO watched_regions (retailer_id, device_id, circles)
SELECT retailer_id, device_id, $3 FROM devices WHERE retailer_id = $1 AND device_id = $2
ON CONFLICT (retailer_id, device_id) DO UPDATE SET circles = excluded.circles

-- happened --
-- What the fence engine made of the fixes that came at one time.
SELECT transition_id, kind, geofence, at, confidence FROM transitions
WHERE retailer_id = $1 AND device_id = $2 AND received_at = $3 AND NOT revised ORDER BY at

-- visiting --
-- The geofences that a device is in.
SELECT geofence FROM visits WHERE retailer_id = $1 AND device_id = $2 AND exited_at IS NULL ORDER BY geofence

-- attestor_of --
-- Which verifier of attestations the retailer has chosen.
SELECT body->>'attestation' FROM published
WHERE retailer_id = $1 AND kind = 'settings' AND version_to IS NULL
