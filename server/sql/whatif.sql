-- ledgers_at --
-- What offers had given out of their purses before a time: what they have now, less what came since.
SELECT l.offer, l.purse,
  greatest(l.issued - coalesce(c.issued, 0), 0) AS issued,
  greatest(l.redeemed - coalesce(c.redeemed, 0), 0) AS redeemed,
  greatest(l.spend_committed - coalesce(c.committed, 0), 0) AS committed
FROM ledgers l
LEFT JOIN (
  SELECT offer, purse,
    count(*) FILTER (WHERE issued_at >= $2) AS issued,
    count(*) FILTER (WHERE redeemed_at >= $2) AS redeemed,
    sum(spend) FILTER (WHERE redeemed_at >= $2) AS committed
  FROM coupons, unnest(purses) AS purse WHERE retailer_id = $1 GROUP BY offer, purse
) AS c USING (offer, purse)
WHERE l.retailer_id = $1

-- coupons_before --
-- The coupons issued before that time: whether they could still be redeemed then, or had been.
SELECT decision_id, offer, shopper_id, spend, purses, issued_at, expires_at,
  expires_at > $2 AND (redeemed_at IS NULL OR redeemed_at >= $2) AS open,
  expires_at > $2 OR coalesce(redeemed_at < $2, false) AS held
FROM coupons WHERE retailer_id = $1 AND issued_at < $2
