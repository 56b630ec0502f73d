-- key_owner --
-- Whose key this is; asked before the tenant is known, so a function answers that sees only this.
SELECT retailer_id, kind, store FROM key_owner($1)

-- signing_keys --
-- The keys that sign access tokens, newest first.
SELECT kid, secret FROM signing_keys ORDER BY created_at DESC, kid

-- add_refresh_token --
-- A refresh token of a family; only its hash is kept.
INSERT INTO refresh_tokens (retailer_id, token_hash, family, device_id, expires_at) VALUES ($1, $2, $3, $4, $5)

-- use_refresh_token --
-- Use a refresh token once: the condition and the change are one statement.
UPDATE refresh_tokens t SET used_at = $3
FROM devices d
WHERE t.retailer_id = $1 AND t.token_hash = $2 AND t.used_at IS NULL AND t.revoked_at IS NULL
  AND t.expires_at > $3 AND d.retailer_id = t.retailer_id AND d.device_id = t.device_id
RETURNING t.family, t.device_id, d.shopper_id, d.public_key

-- revoke_family --
-- A used refresh token came again: somebody has a copy, so the whole family ends.
UPDATE refresh_tokens SET revoked_at = $3
WHERE retailer_id = $1 AND revoked_at IS NULL
  AND family = (SELECT family FROM refresh_tokens WHERE retailer_id = $1 AND token_hash = $2 AND used_at IS NOT NULL)

-- find_device --
-- The shopper of a device.
SELECT shopper_id FROM devices WHERE retailer_id = $1 AND device_id = $2

-- add_key --
-- A new key of a retailer; only its hash is kept.
INSERT INTO api_keys (retailer_id, key_hash, kind, store) VALUES ($1, $2, $3, $4)

-- add_retailer --
-- A new retailer with the secret that keys its coupon codes.
INSERT INTO retailers (retailer_id, name, secret) VALUES ($1, $2, $3)

-- is_retailer --
-- Whether there is such a retailer.
SELECT true FROM retailers WHERE retailer_id = $1

-- has_store --
-- Whether a store is published.
SELECT true FROM published
WHERE retailer_id = $1 AND kind = 'store' AND external_id = $2 AND version_to IS NULL

-- keys_of --
-- A retailer's keys, by the beginning of their hashes.
SELECT left(encode(key_hash, 'hex'), 16) AS id, kind, store, created_at, revoked_at
FROM api_keys WHERE retailer_id = $1 ORDER BY created_at, id

-- revoke_key --
-- The end of a key.
UPDATE api_keys SET revoked_at = now()
WHERE retailer_id = $1 AND left(encode(key_hash, 'hex'), 16) = $2 AND revoked_at IS NULL RETURNING true
