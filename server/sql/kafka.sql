-- take_partition --
-- A new owner: what an earlier one still tries to write fails, since its epoch is over. Given an epoch, only
-- if there was none since.
UPDATE partitions SET epoch = epoch + 1 WHERE part = $1 AND epoch = coalesce($2, epoch)
RETURNING epoch, next_offset

-- epoch_of --
-- The partition's epoch.
SELECT epoch FROM partitions WHERE part = $1

-- heads_of --
-- How far each retailer is in a partition.
SELECT retailer_id, next_offset FROM heads_of($1)

-- note_partitions --
-- Everything before these offsets is done. Whose batch is being written just now is noted another time: nobody
-- waits for it here while others wait for what was noted first.
UPDATE partitions SET next_offset = done.upto FROM (
  SELECT part, upto FROM partitions JOIN unnest($1::int[], $2::bigint[], $3::bigint[]) AS told (part, epoch, upto)
    USING (part, epoch) WHERE next_offset < upto FOR NO KEY UPDATE OF partitions SKIP LOCKED
) AS done WHERE partitions.part = done.part

-- find_shopper --
-- Which shopper a keyed hash of the retailer's own user id stands for.
SELECT shopper_id FROM shoppers WHERE retailer_id = $1 AND user_hash = $2

-- whose_coupon --
-- Whose coupon a till asks for.
SELECT shopper_id FROM coupons WHERE retailer_id = $1 AND code_hash = $2

-- published --
-- The newest published version of a retailer, and what keys its hashes.
SELECT version, secret FROM retailers WHERE retailer_id = $1

-- key_of_shopper --
-- What a shopper's inputs are sealed with in the topic: made, unless it is there. None of who was erased.
INSERT INTO topic_keys AS k (retailer_id, shopper_id, subject, key, created_at)
SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (
  SELECT FROM erasures e JOIN retailers r USING (retailer_id)
  WHERE e.retailer_id = $1 AND e.erased_at IS NOT NULL
    AND e.subject_hash = sha256(r.secret || convert_to('.erased.' || $2::text, 'UTF8')))
ON CONFLICT (retailer_id, shopper_id) DO UPDATE SET subject = k.subject
RETURNING subject, key

-- keys_of_subjects --
-- What inputs in the topic are opened with.
SELECT subject, key FROM topic_keys WHERE retailer_id = $1 AND subject = ANY($2::bytea[])

-- subjects_of --
-- The names of what a shopper's inputs in the topic are sealed with, under any of her ids.
SELECT subject FROM topic_keys WHERE retailer_id = $1 AND shopper_id = ANY($2::text[])

-- forget_keys --
-- Keys that were made for somebody who never came to be: a registration that failed, or whose user was known.
DELETE FROM topic_keys k WHERE k.retailer_id = $1 AND k.created_at BETWEEN $2 AND $3
  AND NOT EXISTS (SELECT FROM shoppers s WHERE s.retailer_id = $1 AND s.shopper_id = k.shopper_id)
  AND NOT EXISTS (SELECT FROM shopper_merges m WHERE m.retailer_id = $1 AND m.former_id = k.shopper_id)
