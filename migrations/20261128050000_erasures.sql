-- migrate:up

-- Who asked to be erased, and the receipt of it. Once done, nothing of the shopper is left but a keyed hash of
-- her id: by it a repeated registration, a late phone or a restored backup is known, and erased again.
CREATE TABLE erasures (
  retailer_id text NOT NULL REFERENCES retailers,
  erasure_id text NOT NULL,
  subject_hash bytea NOT NULL,
  -- Only while the erasure is under way, so that it can go on after a crash.
  shopper_id text,
  asked_by text NOT NULL CHECK (asked_by IN ('shopper', 'operator', 'restored')),
  asked_at timestamptz NOT NULL,
  erased_at timestamptz,
  -- What went, as numbers of rows by table.
  erased jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (retailer_id, erasure_id),
  UNIQUE (retailer_id, subject_hash),
  CHECK (shopper_id IS NULL OR erased_at IS NULL)
);
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasures USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON erasures TO vicino_app;

-- Everything of one shopper is found without reading the rest. These rows come with moments, not with fixes.
CREATE INDEX decisions_shopper ON decisions (retailer_id, shopper_id);
CREATE INDEX transitions_shopper ON transitions (retailer_id, shopper_id);
CREATE INDEX coupons_shopper ON coupons (retailer_id, shopper_id);

-- migrate:down

DROP INDEX coupons_shopper;
DROP INDEX transitions_shopper;
DROP INDEX decisions_shopper;
DROP TABLE erasures;
