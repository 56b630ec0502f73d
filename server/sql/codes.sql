-- add_codes --
-- New codes of a pool; how many of them were in none before.
WITH added AS (
  INSERT INTO pool_codes (retailer_id, pool, code_hash, sealed, sealed_by, added_at)
  SELECT $1, $2, hash, sealed, $6, $5 FROM unnest($3::bytea[], $4::bytea[]) AS asked (hash, sealed)
  ORDER BY hash ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) FROM added

-- free --
SELECT count(*) FROM pool_codes WHERE retailer_id = $1 AND pool = $2 AND given_at IS NULL

-- pools --
SELECT pool, count(*) FILTER (WHERE given_at IS NULL) AS free, count(given_at) AS given
FROM pool_codes WHERE retailer_id = $1 GROUP BY pool ORDER BY pool

-- remove --
WITH gone AS (
  DELETE FROM pool_codes WHERE retailer_id = $1 AND pool = $2 AND given_at IS NULL RETURNING 1
)
SELECT count(*) FROM gone
