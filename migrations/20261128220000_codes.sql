-- migrate:up

-- A retailer's own codes, before they become coupons'. Sealed by a key of the retailer's; given out, only the hash
-- is left, so that a code is never given twice.
CREATE TABLE pool_codes (
  retailer_id text NOT NULL REFERENCES retailers,
  pool text NOT NULL,
  code_hash bytea NOT NULL,
  sealed bytea,
  added_at timestamptz NOT NULL,
  given_at timestamptz,
  PRIMARY KEY (retailer_id, code_hash),
  CHECK ((sealed IS NULL) = (given_at IS NOT NULL))
);
CREATE INDEX pool_codes_free ON pool_codes (retailer_id, pool, code_hash) WHERE given_at IS NULL;
ALTER TABLE pool_codes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON pool_codes USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON pool_codes TO vicino_app;

-- By what coupons are found that share one code.
ALTER TABLE coupons ADD COLUMN static_hash bytea;
CREATE INDEX coupons_static ON coupons (retailer_id, static_hash, expires_at) WHERE static_hash IS NOT NULL;

-- migrate:down

ALTER TABLE coupons DROP COLUMN static_hash;
DROP TABLE pool_codes;
