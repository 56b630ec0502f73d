-- move_device --
-- Whose a device is from now on.
UPDATE devices SET shopper_id = $3 WHERE retailer_id = $1 AND device_id = $2

-- revoke_tokens --
-- The tokens that it came with are of the shopper before.
UPDATE refresh_tokens SET revoked_at = $3 WHERE retailer_id = $1 AND device_id = $2 AND revoked_at IS NULL

-- note_merge --
-- An anonymous shopper was somebody known.
INSERT INTO shopper_merges (retailer_id, former_id, shopper_id, merged_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (retailer_id, former_id) DO NOTHING

-- user_of --
-- Who is known by a keyed hash of the retailer's user id, and whether a shopper is known by any.
SELECT (SELECT shopper_id FROM shoppers WHERE retailer_id = $1 AND user_hash = $2) AS known,
       (SELECT user_hash FROM shoppers WHERE retailer_id = $1 AND shopper_id = $3) AS hers

-- adopt_inbox --
-- Rows of a shopper who was somebody known are hers.
UPDATE inbox SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_coupons --
-- Rows of a shopper who was somebody known are hers.
UPDATE coupons SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_outbox --
-- Rows of a shopper who was somebody known are hers.
UPDATE outbox SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_decisions --
-- Rows of a shopper who was somebody known are hers.
UPDATE decisions SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_lessons --
-- Rows of a shopper who was somebody known are hers.
UPDATE lessons SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_transitions --
-- Rows of a shopper who was somebody known are hers.
UPDATE transitions SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_visits --
-- Rows of a shopper who was somebody known are hers.
UPDATE visits SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_webhook_messages --
-- Messages about a shopper who was somebody known are about her.
UPDATE webhook_messages SET shopper_id = $3 WHERE retailer_id = $1 AND shopper_id = $2

-- adopt_consent_changes --
-- Her answers, each in its place among those of the shopper she was. A row of the trail cannot be changed: it is
-- written anew, with the same number.
WITH hers AS (DELETE FROM consent_changes WHERE retailer_id = $1 AND shopper_id = $2 RETURNING *)
INSERT INTO consent_changes (retailer_id, shopper_id, change_id, purpose, status, at, text_version, text_hash,
                             locale, expires_at, told_by)
OVERRIDING SYSTEM VALUE
SELECT retailer_id, $3, change_id, purpose, status, at, text_version, text_hash, locale, expires_at, told_by
FROM hers
