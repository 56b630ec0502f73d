-- user_account --
-- Whose account an address is; asked before the tenant is known, so a function answers.
SELECT retailer_id, user_id FROM user_account($1)

-- session_user --
-- Who is signed in with a cookie; $5: whether a person asks, which keeps the session alive.
SELECT retailer_id, user_id, email, name, role, stores, totp
FROM session_user_of($1, $2, $3::interval, $4::interval, $5)

-- user_secrets --
-- What a sign-in is checked against.
SELECT email, role, password_hash, totp_secret, totp_confirmed, k.secret AS sealing_key
FROM users u LEFT JOIN sealing_keys k ON (k.retailer_id, k.number) = (u.retailer_id, u.totp_sealed_by)
WHERE u.retailer_id = $1 AND user_id = $2 AND disabled_at IS NULL

-- use_totp_step --
-- A code is good once: the condition and the change are one statement.
UPDATE users SET totp_step = $3 WHERE retailer_id = $1 AND user_id = $2 AND totp_step < $3 RETURNING true

-- add_session --
INSERT INTO sessions (retailer_id, token_hash, user_id, created_at, seen_at) VALUES ($1, $2, $3, $4, $4)

-- end_session --
DELETE FROM sessions WHERE retailer_id = $1 AND token_hash = $2

-- end_old_sessions --
-- Those of an account that have run out.
DELETE FROM sessions WHERE retailer_id = $1 AND user_id = $2
  AND (created_at <= $3::timestamptz - $5::interval OR seen_at <= $3::timestamptz - $4::interval)

-- end_sessions --
-- All of an account's but one ($3; NULL: all).
DELETE FROM sessions WHERE retailer_id = $1 AND user_id = $2 AND token_hash IS DISTINCT FROM $3

-- add_user --
INSERT INTO users (retailer_id, user_id, email, name, role, stores, password_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (lower(email)) DO NOTHING RETURNING true

-- users --
-- All accounts, by address; $2 narrows it to one.
SELECT user_id, email, name, role, stores, totp_confirmed AS totp, created_at, disabled_at FROM users
WHERE retailer_id = $1 AND ($2::text IS NULL OR user_id = $2) ORDER BY lower(email)

-- set_user --
-- What is NULL stays as it is.
UPDATE users SET name = coalesce($3, name), role = coalesce($4, role), stores = coalesce($5, stores)
WHERE retailer_id = $1 AND user_id = $2 RETURNING user_id

-- set_password --
UPDATE users SET password_hash = $3 WHERE retailer_id = $1 AND user_id = $2 RETURNING user_id

-- set_disabled --
UPDATE users SET disabled_at = $3 WHERE retailer_id = $1 AND user_id = $2 RETURNING user_id

-- set_totp --
-- A new second factor, sealed by a key ($4), to be confirmed by its first code.
UPDATE users SET totp_secret = $3, totp_sealed_by = $4, totp_confirmed = false, totp_step = 0
WHERE retailer_id = $1 AND user_id = $2

-- confirm_totp --
-- It counts from now on, if it is still the one whose code was entered.
UPDATE users SET totp_confirmed = true, totp_step = 0
WHERE retailer_id = $1 AND user_id = $2 AND totp_secret = $3 RETURNING true

-- reset_totp --
UPDATE users SET totp_secret = NULL, totp_confirmed = false, totp_step = 0 WHERE retailer_id = $1 AND user_id = $2

-- admins --
-- Accounts that can manage others, apart from one.
SELECT count(*) FROM users
WHERE retailer_id = $1 AND role = 'admin' AND disabled_at IS NULL AND user_id <> $2

-- unknown_stores --
-- Those of $2 that are not published.
SELECT s FROM unnest($2::text[]) AS s WHERE NOT EXISTS (
  SELECT FROM published WHERE retailer_id = $1 AND kind = 'store' AND external_id = s AND version_to IS NULL)

-- lock_audit --
-- One entry after the other: each is chained to the one before.
SELECT pg_advisory_xact_lock(hashtextextended('vicino.audit ' || $1, 0))

-- newest_audit --
SELECT seq, hash FROM audit WHERE retailer_id = $1 ORDER BY seq DESC LIMIT 1

-- add_audit --
INSERT INTO audit (retailer_id, seq, at, actor, action, subject, detail, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- audit_page --
-- Entries below $2, newest first.
SELECT seq, at, actor, action, subject, detail, hash FROM audit
WHERE retailer_id = $1 AND ($2::bigint IS NULL OR seq < $2) ORDER BY seq DESC LIMIT $3

-- audit_from --
-- Entries from $2 on, oldest first.
SELECT seq, at, actor, action, subject, detail, hash FROM audit
WHERE retailer_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3
