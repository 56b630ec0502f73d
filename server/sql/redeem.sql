-- lock_coupon --
-- A coupon, held until the commit: of tills that race for it one gets it.
SELECT c.code_hash, c.static_hash IS NOT NULL AS is_static, c.decision_id, c.shopper_id, c.offer, c.sku, c.store, c.status,
       c.spend, c.spent, c.discount, c.issued_at, c.expires_at, c.redeemed_at, c.redeemed_store,
       (SELECT d.receipt->'moment'->'plausibility' FROM decisions d
        WHERE d.retailer_id = c.retailer_id AND d.decision_id = c.decision_id) AS plausibility
FROM coupons c WHERE c.retailer_id = $1 AND c.code_hash = $2 FOR UPDATE OF c

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
-- Redeem a locked coupon, or a part of it ($6: what is left): its hold on the budget becomes what it cost ($5).
WITH redeemed AS (
  UPDATE coupons c SET status = CASE WHEN $6::numeric > 0 THEN 'reserved' ELSE 'redeemed' END,
    redeemed_at = $3, redeemed_store = $4, spent = c.spent + $5::numeric, spend = $6::numeric, reversed_at = NULL
  FROM coupons before
  WHERE c.retailer_id = $1 AND c.code_hash = $2 AND before.retailer_id = $1 AND before.code_hash = $2
    AND before.status = 'reserved'
  RETURNING c.retailer_id, c.offer, c.purses, c.status, before.spend AS held
)
UPDATE ledgers l SET
  outstanding = l.outstanding - CASE r.status WHEN 'redeemed' THEN 1 ELSE 0 END,
  redeemed = l.redeemed + CASE r.status WHEN 'redeemed' THEN 1 ELSE 0 END,
  spend_reserved = l.spend_reserved - (r.held - $6::numeric), spend_committed = l.spend_committed + $5::numeric
FROM redeemed r WHERE l.retailer_id = r.retailer_id AND l.offer = r.offer AND l.purse = ANY (r.purses)

-- reverse --
-- Take a redemption back: what it cost is held again where the coupon is good again ($4), else free.
WITH reversed AS (
  UPDATE coupons c SET status = CASE WHEN $4 THEN 'reserved' ELSE 'expired' END, spent = 0,
    spend = CASE WHEN before.status = 'reserved' THEN before.spend ELSE 0 END + before.spent,
    redeemed_at = NULL, redeemed_store = NULL, reversed_at = $3
  FROM coupons before
  WHERE c.retailer_id = $1 AND c.code_hash = $2 AND before.retailer_id = $1 AND before.code_hash = $2
  RETURNING c.retailer_id, c.offer, c.purses, before.spent, before.status,
            CASE WHEN before.status = 'reserved' THEN before.spend ELSE 0 END AS held
)
UPDATE ledgers l SET
  redeemed = l.redeemed - CASE r.status WHEN 'redeemed' THEN 1 ELSE 0 END,
  outstanding = l.outstanding + CASE WHEN r.status = 'redeemed' AND $4 THEN 1 WHEN r.status = 'reserved' AND NOT $4 THEN -1 ELSE 0 END,
  spend_committed = l.spend_committed - r.spent,
  spend_reserved = l.spend_reserved + CASE WHEN $4 THEN r.spent ELSE -r.held END
FROM reversed r WHERE l.retailer_id = r.retailer_id AND l.offer = r.offer AND l.purse = ANY (r.purses)

-- expire_coupons --
-- Give back what expired coupons held: one statement, so that a race with a redemption has one winner. One that was
-- used in part counts as redeemed.
WITH expired AS (
  UPDATE coupons SET status = CASE WHEN spent > 0 THEN 'redeemed' ELSE 'expired' END
  WHERE retailer_id = $1 AND status = 'reserved' AND expires_at <= $2
  RETURNING offer, purses, spend, spent
)
UPDATE ledgers l SET outstanding = l.outstanding - e.coupons, redeemed = l.redeemed + e.used,
  spend_reserved = l.spend_reserved - e.spend
FROM (SELECT offer, purse, count(*) AS coupons, count(*) FILTER (WHERE spent > 0) AS used, sum(spend) AS spend
      FROM expired, unnest(purses) AS purse GROUP BY offer, purse) AS e
WHERE l.retailer_id = $1 AND l.offer = e.offer AND l.purse = e.purse

-- first_answer --
-- The answer that a request with this Idempotency-Key got the first time.
SELECT request_hash, status, body FROM idempotency WHERE retailer_id = $1 AND caller = $2 AND key = $3

-- keep_answer --
-- Keep the first answer for repeats of the request.
INSERT INTO idempotency (retailer_id, caller, key, request_hash, status, body)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING

-- open_till --
-- A row to lock for a till.
INSERT INTO tills (retailer_id, till, hour) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- lock_till --
-- How a till has fared, held until the commit.
SELECT hour, redeemed, failed, locked_until FROM tills WHERE retailer_id = $1 AND till = $2 FOR UPDATE

-- note_till --
-- One more redemption ($4) or wrong code ($5). As many wrong ones in a row as $6 lock the till until $7.
UPDATE tills SET
  redeemed = CASE WHEN hour = $3 THEN redeemed ELSE 0 END + $4::boolean::int,
  hour = $3,
  locked_until = CASE WHEN $5::boolean AND failed + 1 >= $6 THEN $7::timestamptz ELSE locked_until END,
  failed = CASE WHEN NOT $5::boolean OR failed + 1 >= $6 THEN 0 ELSE failed + 1 END
WHERE retailer_id = $1 AND till = $2
