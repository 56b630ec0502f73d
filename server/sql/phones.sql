-- find_phone --
-- A device: whose it is, and who may speak for it.
SELECT shopper_id, by_app_key FROM devices WHERE retailer_id = $1 AND device_id = $2

-- put_aside --
-- A record of a phone that could not be read: once a day, device and kind of trouble.
INSERT INTO quarantine (retailer_id, reason, detail, trouble_hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
