-- ledgers_at --
-- What offers had given out before a time: what they have now, less what came since.
SELECT l.offer,
  greatest(l.issued - coalesce(c.issued, 0), 0) AS issued,
  greatest(l.redeemed - coalesce(c.redeemed, 0), 0) AS redeemed,
  greatest(l.spend_committed - coalesce(c.committed, 0), 0) AS committed
FROM ledgers l
LEFT JOIN (
  SELECT offer,
    count(*) FILTER (WHERE issued_at >= $2) AS issued,
    count(*) FILTER (WHERE redeemed_at >= $2) AS redeemed,
    sum(spend) FILTER (WHERE redeemed_at >= $2) AS committed
  FROM coupons WHERE retailer_id = $1 GROUP BY offer
) AS c USING (offer)
WHERE l.retailer_id = $1

-- coupons_open_at --
-- The coupons that could have been redeemed at that time.
SELECT decision_id, offer, spend, expires_at FROM coupons
WHERE retailer_id = $1 AND issued_at < $2 AND expires_at > $2 AND (redeemed_at IS NULL OR redeemed_at >= $2)
