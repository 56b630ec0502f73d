-- lock_coupons --
-- Coupons, held until the commit: of tills that race for one a single one gets it. Locked in one order, so that
-- batches which want several of the same wait for each other and not in a ring.
SELECT c.code_hash, c.static_hash IS NOT NULL AS is_static, c.decision_id, c.shopper_id, c.offer, c.sku, c.store, c.status,
       c.spend, c.spent, c.purses, c.discount, c.issued_at, c.expires_at, c.redeemed_at, c.redeemed_store,
       (SELECT d.receipt->'moment'->'plausibility' FROM decisions d
        WHERE d.retailer_id = c.retailer_id AND d.decision_id = c.decision_id) AS plausibility
FROM coupons c WHERE c.retailer_id = $1 AND c.code_hash = ANY ($2::bytea[]) ORDER BY c.code_hash FOR UPDATE OF c

-- is_static --
-- Whether this is a code that many coupons have.
SELECT EXISTS (SELECT FROM coupons WHERE retailer_id = $1 AND static_hash = $2)

-- lock_static --
-- One of the coupons with a static code that is good at the store ($3; any) at that time: the one that ends first.
SELECT code_hash FROM coupons
WHERE retailer_id = $1 AND static_hash = $2 AND ($3::text IS NULL OR store = $3)
  AND status = 'reserved' AND issued_at <= $4 AND expires_at > $4
ORDER BY expires_at, decision_id LIMIT 1 FOR UPDATE SKIP LOCKED

-- lock_static_used --
-- The one of them that was redeemed last at the store ($3; any), by that time.
SELECT code_hash FROM coupons
WHERE retailer_id = $1 AND static_hash = $2 AND ($3::text IS NULL OR redeemed_store = $3)
  AND redeemed_at <= $4
ORDER BY redeemed_at DESC, decision_id LIMIT 1 FOR UPDATE SKIP LOCKED

-- redeemed_offers --
-- Of which offers coupons were redeemed, by their decisions.
SELECT offer FROM coupons WHERE retailer_id = $1 AND decision_id = ANY ($2::text[]) AND redeemed_at IS NOT NULL

-- redeem --
-- Redeem a locked coupon, or a part of it ($6: what is left). What it holds of its purses moves in `move_ledgers`.
UPDATE coupons SET status = CASE WHEN $6::numeric > 0 THEN 'reserved' ELSE 'redeemed' END,
  redeemed_at = $3, redeemed_store = $4, spent = spent + $5::numeric, spend = $6::numeric, reversed_at = NULL
WHERE retailer_id = $1 AND code_hash = $2 AND status = 'reserved'

-- reverse --
-- Take a locked coupon's redemption back: what it cost is held again where it is good again ($4), else free.
UPDATE coupons SET status = CASE WHEN $4 THEN 'reserved' ELSE 'expired' END, spent = 0,
  spend = CASE WHEN status = 'reserved' THEN spend ELSE 0 END + spent,
  redeemed_at = NULL, redeemed_store = NULL, reversed_at = $3
WHERE retailer_id = $1 AND code_hash = $2

-- expire_coupons --
-- Give back what expired coupons held: one statement, so that a race with a redemption has one winner. One that was
-- used in part counts as redeemed. Locks are taken in the order of a batch; a coupon that is at a till just now can wait.
WITH due AS (
  SELECT code_hash FROM coupons WHERE retailer_id = $1 AND status = 'reserved' AND expires_at <= $2
  ORDER BY code_hash FOR UPDATE SKIP LOCKED
), expired AS (
  UPDATE coupons SET status = CASE WHEN spent > 0 THEN 'redeemed' ELSE 'expired' END
  WHERE retailer_id = $1 AND code_hash = ANY (ARRAY(SELECT code_hash FROM due))
  RETURNING offer, purses, spend, spent
), freed AS (
  SELECT offer, purse, count(*) AS coupons, count(*) FILTER (WHERE spent > 0) AS used, sum(spend) AS spend
  FROM expired, unnest(purses) AS purse GROUP BY offer, purse
), held AS (
  SELECT l.offer, l.purse FROM ledgers l JOIN freed USING (offer, purse) WHERE l.retailer_id = $1
  ORDER BY l.offer, l.purse FOR UPDATE OF l
)
UPDATE ledgers l SET outstanding = l.outstanding - f.coupons, redeemed = l.redeemed + f.used,
  spend_reserved = l.spend_reserved - f.spend
FROM freed f JOIN held USING (offer, purse)
WHERE l.retailer_id = $1 AND l.offer = f.offer AND l.purse = f.purse

-- first_answers --
-- The answers that requests with these Idempotency-Keys got the first time.
SELECT i.caller, i.key, i.request_hash, i.status, i.body
FROM idempotency i JOIN unnest($2::text[], $3::text[]) AS asked (caller, key) USING (caller, key)
WHERE i.retailer_id = $1

-- keep_answer --
-- Keep the first answer for repeats of the request.
INSERT INTO idempotency (retailer_id, caller, key, request_hash, status, body)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING

-- open_tills --
-- A row to lock for each till.
INSERT INTO tills (retailer_id, till, hour) SELECT $1, till, $3 FROM unnest($2::text[]) AS asked (till)
ORDER BY till ON CONFLICT DO NOTHING

-- lock_tills --
-- How tills have fared, held until the commit.
SELECT till, hour, redeemed, failed, locked_until FROM tills WHERE retailer_id = $1 AND till = ANY ($2::text[])
ORDER BY till FOR UPDATE

-- set_till --
-- How a locked till fares now.
UPDATE tills SET hour = $3, redeemed = $4, failed = $5, locked_until = $6 WHERE retailer_id = $1 AND till = $2
