-- approvals_of_offer --
-- Who approved it, whatever it was then.
SELECT body_hash, approver, at FROM offer_approvals WHERE retailer_id = $1 AND offer = $2 ORDER BY at, approver

-- approvals --
-- Who approved it as it stands.
SELECT approver FROM offer_approvals WHERE retailer_id = $1 AND offer = $2 AND body_hash = $3 ORDER BY at, approver

-- add_approval --
-- Once each.
INSERT INTO offer_approvals (retailer_id, offer, body_hash, approver, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING

-- count_shoppers --
-- How many an offer may reach at the most.
SELECT count(*) FROM shoppers WHERE retailer_id = $1

-- withdraw_offer --
-- What waits of an offer ($2 NULL: of all) will not be sent.
UPDATE outbox SET state = 'withdrawn', reason = 'stopped', leased_until = NULL
WHERE retailer_id = $1 AND kind = 'offer' AND state IN ('pending', 'leased')
  AND ($2::text IS NULL OR item->>'offer' = $2)
RETURNING push_id

-- shown_of_offer --
-- What was sent of it, is not over and was not looked at.
SELECT o.push_id FROM outbox o JOIN inbox i USING (retailer_id, decision_id)
WHERE o.retailer_id = $1 AND o.kind = 'offer' AND o.state = 'sent' AND o.expires_at > $3
  AND ($2::text IS NULL OR o.item->>'offer' = $2) AND i.opened_at IS NULL AND i.dismissed_at IS NULL
