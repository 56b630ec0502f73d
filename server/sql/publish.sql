-- lock_publishing --
-- Puts a retailer's publications in one order, without locking its row meanwhile.
SELECT pg_advisory_xact_lock(hashtextextended('vicino.publish ' || $1, 0))

-- version --
SELECT version FROM retailers WHERE retailer_id = $1

-- close --
-- End the current rows of these ids of kind $2 as of version $3. Each is looked up by the index (LATERAL with LIMIT),
-- as in `differing`: a join would read the whole table again for every batch.
UPDATE published SET version_to = $3
WHERE ctid = ANY (ARRAY(
  SELECT now.ctid FROM unnest($4::text[]) AS i (external_id)
  CROSS JOIN LATERAL (
    SELECT p.ctid FROM published p
    WHERE p.retailer_id = $1 AND p.kind = $2 AND p.external_id = i.external_id AND p.version_to IS NULL
    LIMIT 1
  ) AS now
))

-- insert --
-- A row of version $3 for each body; none of them has a current one.
INSERT INTO published (retailer_id, kind, external_id, version_from, body)
SELECT $1, $2, i.external_id, $3, i.body::jsonb
FROM unnest($4::text[], $5::text[]) AS i (external_id, body)

-- raise_version --
UPDATE retailers SET version = $2 WHERE retailer_id = $1

-- announce --
-- Delivered to the listeners when the transaction commits.
SELECT pg_notify('vicino_published', $1)

-- differing --
-- The incoming bodies that are new or changed, with what is published now (NULL: nothing).
SELECT i.external_id, now.body
FROM unnest($3::text[], $4::text[]) AS i (external_id, body)
LEFT JOIN LATERAL (
  SELECT p.body FROM published p
  WHERE p.retailer_id = $1 AND p.kind = $2 AND p.external_id = i.external_id AND p.version_to IS NULL
  LIMIT 1
) AS now ON true
WHERE now.body IS NULL OR now.body <> i.body::jsonb

-- bodies_at --
-- Everything published as of version $2, in an order that does not depend on the database's collation.
SELECT kind, external_id, body FROM published
WHERE retailer_id = $1 AND version_from <= $2 AND (version_to IS NULL OR version_to > $2)
ORDER BY kind COLLATE "C", external_id COLLATE "C"

-- changes --
-- What differs between versions $2 (the older) and $3: the bodies as of the newer, NULL where one is gone. What
-- was changed and changed back is among them.
WITH touched AS (
  SELECT kind, external_id FROM published
  WHERE retailer_id = $1 AND version_from > $2 AND version_from <= $3
  UNION
  SELECT kind, external_id FROM published
  WHERE retailer_id = $1 AND version_to > $2 AND version_to <= $3
)
SELECT touched.kind, touched.external_id, now.body
FROM touched LEFT JOIN LATERAL (
  SELECT p.body FROM published p
  WHERE p.retailer_id = $1 AND p.kind = touched.kind AND p.external_id = touched.external_id
    AND p.version_from <= $3 AND (p.version_to IS NULL OR p.version_to > $3)
  LIMIT 1
) AS now ON true
ORDER BY kind COLLATE "C", external_id COLLATE "C"

-- changed_ids --
-- Of one kind, what differs between two versions, by its ids alone: so many at most.
SELECT external_id FROM published
WHERE retailer_id = $1 AND kind = $2 AND version_from > $3 AND version_from <= $4
UNION
SELECT external_id FROM published
WHERE retailer_id = $1 AND kind = $2 AND version_to > $3 AND version_to <= $4
LIMIT $5

-- changed_among --
-- Which of these differ.
SELECT DISTINCT external_id FROM published
WHERE retailer_id = $1 AND kind = $2 AND external_id = ANY ($5::text[])
  AND ((version_from > $3 AND version_from <= $4) OR (version_to > $3 AND version_to <= $4))

-- body_at --
-- One body as of version $4.
SELECT body FROM published
WHERE retailer_id = $1 AND kind = $2 AND external_id = $3
  AND version_from <= $4 AND (version_to IS NULL OR version_to > $4)

-- current_bodies --
SELECT external_id, body FROM published
WHERE retailer_id = $1 AND kind = $2 AND external_id = ANY ($3::text[]) AND version_to IS NULL

-- current_ids --
SELECT external_id FROM published
WHERE retailer_id = $1 AND kind = $2 AND external_id = ANY ($3::text[]) AND version_to IS NULL

-- current_page --
-- $5: the stores that a store manager is bound to; NULL: no matter of which.
SELECT external_id, body FROM published
WHERE retailer_id = $1 AND kind = $2 AND version_to IS NULL AND external_id > $3
  AND ($5::text[] IS NULL OR CASE kind
    WHEN 'store' THEN external_id = ANY ($5)
    WHEN 'geofence' THEN body -> 'properties' ->> 'store' = ANY ($5)
    WHEN 'offer' THEN NOT body ? 'stores' OR body -> 'stores' ?| $5
    ELSE true END)
ORDER BY external_id
LIMIT $4

-- current_geofences_of --
SELECT external_id FROM published
WHERE retailer_id = $1 AND kind = 'geofence' AND version_to IS NULL
  AND body -> 'properties' ->> 'store' = $2

-- current_categories --
SELECT DISTINCT body ->> 'category' AS category FROM published
WHERE retailer_id = $1 AND kind = 'product' AND version_to IS NULL AND body ? 'category'
