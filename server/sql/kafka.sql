-- take_partition --
-- A new owner: what an earlier one still tries to write fails, since its epoch is over.
UPDATE partitions SET epoch = epoch + 1 WHERE part = $1 RETURNING epoch, next_offset

-- heads_of --
-- How far each retailer is in a partition.
SELECT retailer_id, next_offset FROM heads_of($1)

-- note_partition --
-- Everything before this offset is done.
UPDATE partitions SET next_offset = $3 WHERE part = $1 AND epoch = $2 AND next_offset < $3

-- find_shopper --
-- Which shopper a keyed hash of the retailer's own user id stands for.
SELECT shopper_id FROM shoppers WHERE retailer_id = $1 AND user_hash = $2

-- whose_coupon --
-- Whose coupon a till asks for.
SELECT shopper_id FROM coupons WHERE retailer_id = $1 AND code_hash = $2

-- published --
-- The newest published version of a retailer, and what keys its hashes.
SELECT version, secret FROM retailers WHERE retailer_id = $1
