-- add_first --
INSERT INTO sealing_keys (retailer_id, number, secret, created_at) VALUES ($1, 1, $2, clock_timestamp())

-- newest --
-- The key that seals, held until the transaction ends: it is not retired before what it seals is to be seen.
SELECT number, secret FROM sealing_keys WHERE retailer_id = $1 ORDER BY number DESC LIMIT 1 FOR KEY SHARE

-- every --
SELECT number, secret, created_at FROM sealing_keys WHERE retailer_id = $1 ORDER BY number DESC

-- add_next --
-- The next key. None where there are two: a rotation is under way, or was interrupted, and goes on.
INSERT INTO sealing_keys (retailer_id, number, secret, created_at)
SELECT $1, max(number) + 1, $2, clock_timestamp() FROM sealing_keys WHERE retailer_id = $1 HAVING count(*) = 1
ON CONFLICT DO NOTHING

-- hold_older --
-- All but the newest, once nobody seals by one of them any more.
SELECT number FROM sealing_keys WHERE retailer_id = $1 AND number < $2 FOR UPDATE

-- retire --
DELETE FROM sealing_keys WHERE retailer_id = $1 AND number < $2

-- left --
-- How much older keys have sealed.
SELECT (SELECT count(*) FROM users WHERE retailer_id = $1 AND totp_secret IS NOT NULL AND totp_sealed_by < $2)
  + (SELECT count(*) FROM pool_codes WHERE retailer_id = $1 AND sealed IS NOT NULL AND sealed_by < $2)

-- old_users --
-- Second factors that an older key has sealed, from $3 down; those that somebody else is changing are passed over.
SELECT user_id AS id, totp_secret AS sealed, totp_sealed_by AS number FROM users
WHERE retailer_id = $1 AND totp_secret IS NOT NULL AND totp_sealed_by < $2 AND ($3::text IS NULL OR user_id < $3)
ORDER BY user_id DESC LIMIT $4 FOR UPDATE SKIP LOCKED

-- seal_users --
UPDATE users SET totp_secret = anew.sealed, totp_sealed_by = $2
FROM unnest($3::text[], $4::bytea[]) AS anew (id, sealed) WHERE retailer_id = $1 AND user_id = anew.id

-- old_pool_codes --
-- Free codes that an older key has sealed, from $3 down, since those at the other end are given out next.
SELECT code_hash AS id, sealed, sealed_by AS number FROM pool_codes
WHERE retailer_id = $1 AND sealed IS NOT NULL AND sealed_by < $2 AND ($3::bytea IS NULL OR code_hash < $3)
ORDER BY code_hash DESC LIMIT $4 FOR UPDATE SKIP LOCKED

-- seal_pool_codes --
UPDATE pool_codes SET sealed = anew.sealed, sealed_by = $2
FROM unnest($3::bytea[], $4::bytea[]) AS anew (id, sealed) WHERE retailer_id = $1 AND code_hash = anew.id

-- list --
-- The keys, and how many secrets each has sealed.
SELECT number, created_at,
  (SELECT count(*) FROM users WHERE retailer_id = $1 AND totp_secret IS NOT NULL AND totp_sealed_by = k.number)
    + (SELECT count(*) FROM pool_codes WHERE retailer_id = $1 AND sealed IS NOT NULL AND sealed_by = k.number) AS sealed
FROM sealing_keys k WHERE retailer_id = $1 ORDER BY number DESC
