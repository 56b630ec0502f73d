-- to_say --
-- The moments of a time in which there was something to say, in order: what was decided, by which chance, and
-- what came of it within $4. `held`: silent because she is in the holdout; `refused`: because of a quota or budget,
-- which are asked last. `visited`: she stayed at the store.
SELECT d.decision_id, d.shopper_id, d.store, d.decided_at, d.version, d.offer, d.reasons,
  d.receipt ->> 'policy' AS policy, (d.receipt ->> 'propensity')::float8 AS propensity,
  coalesce(d.offer, d.receipt -> 'ghost' ->> 'offer') AS best,
  'holdout' = ANY (d.reasons) AS held, d.reasons && ARRAY['budget', 'store_cap', 'retailer_cap'] AS refused,
  d.receipt -> 'judgement' AS judgement,
  (c.redeemed_at < d.decided_at + $4) IS TRUE AS redeemed,
  CASE WHEN c.redeemed_at < d.decided_at + $4 THEN c.spend ELSE 0 END AS spend,
  EXISTS (
    SELECT FROM visits v
    WHERE v.retailer_id = $1 AND v.shopper_id = d.shopper_id AND v.store = d.store
      AND v.entered_at > d.decided_at - interval '12 hours' AND v.entered_at < d.decided_at + $4
      AND v.dwelled_at >= d.decided_at AND v.dwelled_at < d.decided_at + $4
  ) AS visited
FROM decisions d LEFT JOIN coupons c USING (retailer_id, decision_id)
WHERE d.retailer_id = $1 AND d.decided_at >= $2 AND d.decided_at < $3
  AND (d.outcome = 'offer' OR d.reasons && ARRAY['holdout', 'budget', 'store_cap', 'retailer_cap', 'nothing_drawn'])
ORDER BY d.decided_at, d.decision_id

-- funnel --
-- How far moments came, by store and offer (NULL: none was looked at to the end), with the shoppers they were of;
-- and, as `others`, together what is of fewer than $6 shoppers each.
WITH each AS (
  SELECT d.store, coalesce(d.offer, d.receipt -> 'ghost' ->> 'offer') AS offer, d.shopper_id,
    d.outcome = 'offer' AS offered, d.receipt ? 'ghost' AS ghost, o.accepted_at, i.delivered_at, i.opened_at,
    d.outcome = 'offer' AND EXISTS (
      SELECT FROM visits v
      WHERE v.retailer_id = $1 AND v.shopper_id = d.shopper_id AND v.store = d.store
        AND v.entered_at > d.decided_at - interval '12 hours' AND v.entered_at < d.decided_at + $4
        AND v.dwelled_at >= d.decided_at AND v.dwelled_at < d.decided_at + $4) AS visited,
    c.redeemed_at, c.spend
  FROM decisions d
  LEFT JOIN coupons c USING (retailer_id, decision_id)
  LEFT JOIN inbox i USING (retailer_id, decision_id)
  LEFT JOIN outbox o USING (retailer_id, decision_id)
  WHERE d.retailer_id = $1 AND d.decided_at >= $2 AND d.decided_at < $3
    AND ($5::text IS NULL OR d.store = $5)
), sizes AS (
  SELECT coalesce(store, '') AS of_store, coalesce(offer, '') AS of_offer, count(DISTINCT shopper_id) < $6 AS few
  FROM each GROUP BY 1, 2
)
SELECT store, offer, grouping(store) = 1 AS others, count(*) AS moments, count(DISTINCT shopper_id) AS shoppers,
  count(*) FILTER (WHERE offered) AS offers, count(*) FILTER (WHERE ghost) AS ghosts,
  count(accepted_at) AS pushed, count(delivered_at) AS delivered, count(opened_at) AS opened,
  count(*) FILTER (WHERE visited) AS visited, count(redeemed_at) AS redeemed,
  coalesce(sum(spend) FILTER (WHERE redeemed_at IS NOT NULL), 0) AS spend
FROM each JOIN sizes ON of_store = coalesce(store, '') AND of_offer = coalesce(offer, '')
GROUP BY GROUPING SETS ((store, offer), (few)) HAVING grouping(store) = 0 OR few
ORDER BY 3, 1 NULLS LAST, 2 NULLS LAST

-- refusals --
-- Why moments were silent, by store and reason; a moment may have several. `others`: by reason, together what is of
-- fewer than $5 shoppers each.
WITH each AS (
  SELECT coalesce(d.store, '') AS store, r.reason, d.shopper_id
  FROM decisions d CROSS JOIN LATERAL unnest(d.reasons) AS r (reason)
  WHERE d.retailer_id = $1 AND d.decided_at >= $2 AND d.decided_at < $3 AND d.outcome = 'silence'
    AND ($4::text IS NULL OR d.store = $4)
), sizes AS (SELECT store, reason, count(DISTINCT shopper_id) < $5 AS few FROM each GROUP BY 1, 2)
SELECT nullif(store, '') AS store, reason, grouping(store) = 1 AS others, count(*) AS moments,
  count(DISTINCT shopper_id) AS shoppers
FROM each JOIN sizes USING (store, reason)
GROUP BY GROUPING SETS ((store, reason), (few, reason)) HAVING grouping(store) = 0 OR few
ORDER BY 3, 1 NULLS LAST, 4 DESC, 2

-- near --
-- Visits that began, by store, and the shoppers they were of; as `others`, together those of fewer than $5 each.
WITH each AS (
  SELECT store, shopper_id FROM visits
  WHERE retailer_id = $1 AND entered_at >= $2 AND entered_at < $3 AND ($4::text IS NULL OR store = $4)
), sizes AS (SELECT store, count(DISTINCT shopper_id) < $5 AS few FROM each GROUP BY 1)
SELECT store, grouping(store) = 1 AS others, count(*) AS visits, count(DISTINCT shopper_id) AS shoppers
FROM each JOIN sizes USING (store)
GROUP BY GROUPING SETS ((store), (few)) HAVING grouping(store) = 0 OR few
ORDER BY 2, 1

-- heat --
-- Visits that began, by the cell that their store lies in ($4 and $5: stores with their cells), where they are of $6
-- shoppers or more.
SELECT c.cell, count(*) AS visits, count(DISTINCT v.shopper_id) AS shoppers
FROM visits v JOIN unnest($4::text[], $5::text[]) AS c (store, cell) USING (store)
WHERE v.retailer_id = $1 AND v.entered_at >= $2 AND v.entered_at < $3
GROUP BY 1 HAVING count(DISTINCT v.shopper_id) >= $6 ORDER BY 2 DESC, 1

-- stores_now --
SELECT body FROM published WHERE retailer_id = $1 AND kind = 'store' AND version_to IS NULL ORDER BY external_id

-- opted_out --
-- Who withdrew what, by purpose: the shoppers, and those of them to whom an offer was made in the day before.
SELECT g.purpose, count(DISTINCT g.shopper_id) AS shoppers, count(DISTINCT g.shopper_id) FILTER (WHERE EXISTS (
    SELECT FROM decisions d WHERE d.retailer_id = $1 AND d.shopper_id = g.shopper_id AND d.outcome = 'offer'
      AND d.decided_at <= g.at AND d.decided_at > g.at - $4::interval)) AS after_an_offer
FROM consent_changes g
WHERE g.retailer_id = $1 AND g.at >= $2 AND g.at < $3 AND g.status = 'withdrawn'
GROUP BY 1 ORDER BY 2 DESC, 1

-- held_off --
-- Moments at which shoppers' own limits kept offers away ($4: the reasons), and the shoppers they were of.
SELECT r.reason, count(*) AS moments, count(DISTINCT d.shopper_id) AS shoppers
FROM decisions d CROSS JOIN LATERAL unnest(d.reasons) AS r (reason)
WHERE d.retailer_id = $1 AND d.decided_at >= $2 AND d.decided_at < $3 AND r.reason = ANY ($4)
GROUP BY 1 ORDER BY 3 DESC, 1

-- spoken_to --
SELECT count(DISTINCT shopper_id) AS spoken_to, count(DISTINCT shopper_id) FILTER (WHERE outcome = 'offer') AS offered
FROM decisions WHERE retailer_id = $1 AND decided_at >= $2 AND decided_at < $3

-- speed --
-- How long pushes took from the fix to their acceptance, by day (UTC; NULL: in all).
SELECT date_trunc('day', accepted_at, 'UTC') AS day, count(*) AS pushes,
  count(*) FILTER (WHERE accepted_at - received_at <= $4::interval) AS in_time,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM accepted_at - received_at))
    AS percentiles_s
FROM outbox WHERE retailer_id = $1 AND accepted_at >= $2 AND accepted_at < $3
GROUP BY GROUPING SETS ((1), ()) ORDER BY 1 NULLS LAST

-- burn --
-- What offers have given out of their budgets, in all time.
SELECT l.offer, l.issued, l.outstanding, l.redeemed, l.spend_reserved, l.spend_committed, p.body -> 'budget' AS budget
FROM ledgers l
LEFT JOIN published p ON p.retailer_id = l.retailer_id AND p.kind = 'offer' AND p.external_id = l.offer
  AND p.version_to IS NULL
WHERE l.retailer_id = $1 AND l.purse = '' ORDER BY l.offer

-- steps --
-- What shoppers did, each in her own order: looked (as a receipt's evidence says), came near, stayed, redeemed.
SELECT shopper_id, step, at FROM (
  SELECT d.shopper_id, 'zmot' AS step, (e ->> 'at')::timestamptz AS at
  FROM decisions d CROSS JOIN LATERAL jsonb_array_elements(d.receipt -> 'moment' -> 'evidence') AS e
  WHERE d.retailer_id = $1 AND d.decided_at >= $2 AND d.decided_at < $3 AND e ? 'level'
  UNION
  SELECT v.shopper_id, 'near', v.entered_at FROM visits v
  WHERE v.retailer_id = $1 AND v.entered_at >= $2 AND v.entered_at < $3
  UNION ALL
  SELECT v.shopper_id, 'fmot', v.dwelled_at FROM visits v
  WHERE v.retailer_id = $1 AND v.entered_at >= $2 AND v.entered_at < $3 AND v.dwelled_at IS NOT NULL
  UNION ALL
  SELECT c.shopper_id, 'redeem', c.redeemed_at FROM coupons c
  WHERE c.retailer_id = $1 AND c.redeemed_at >= $2 AND c.redeemed_at < $3
) AS steps ORDER BY shopper_id, at, step

-- journal_days_of --
-- The days of a time of which the retailer has a journal.
SELECT DISTINCT day FROM journal WHERE retailer_id = $1 AND day >= $2 AND day <= $3 ORDER BY day

-- known_as --
-- Who anonymous shoppers turned out to be.
SELECT former_id, shopper_id FROM shopper_merges WHERE retailer_id = $1

-- health --
-- What became of the offers of a time at some stores (NULL: all): pushes that failed or came too late, shoppers who
-- stopped pushes within a day of one, and how long pushes took from the fix to FCM.
SELECT count(*) AS offers, count(DISTINCT o.shopper_id) AS shoppers,
  count(*) FILTER (WHERE o.state = 'failed') AS failed,
  count(*) FILTER (WHERE o.state = 'inbox_only' OR o.state = 'expired') AS late,
  count(DISTINCT o.shopper_id) FILTER (WHERE EXISTS (
    SELECT FROM consent_changes g
    WHERE g.retailer_id = $1 AND g.shopper_id = o.shopper_id AND g.purpose IN ('push', 'nearby_offers')
      AND g.status = 'withdrawn' AND g.at >= o.decided_at AND g.at < o.decided_at + $5)) AS stopped,
  percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM o.accepted_at - o.received_at))
    FILTER (WHERE o.accepted_at IS NOT NULL) AS p99_s
FROM outbox o
WHERE o.retailer_id = $1 AND o.decided_at >= $2 AND o.decided_at < $3
  AND ($4::text[] IS NULL OR o.store = ANY ($4))

-- overspent --
-- Offers that have given more than their budget allows: none, ever.
SELECT l.offer FROM ledgers l
JOIN published p ON p.retailer_id = l.retailer_id AND p.kind = 'offer' AND p.external_id = l.offer AND p.version_to IS NULL
WHERE l.retailer_id = $1 AND (
  l.spend_committed + l.spend_reserved > (p.body -> 'budget' ->> 'spend')::numeric
  OR l.redeemed + l.outstanding > (p.body -> 'budget' ->> 'redemptions')::bigint)
ORDER BY 1

-- journal_days_newest --
-- The newest days of which the retailer has a journal, so many at most.
SELECT DISTINCT day FROM journal WHERE retailer_id = $1 ORDER BY day DESC LIMIT $2
