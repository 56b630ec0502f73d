-- migrate:up

-- What lets a geofence be heard in sensitive places for a time: asked for by one administrator, approved by
-- another. A row is never deleted: it is the record of who allowed what, and why.
CREATE TABLE overrides (
  retailer_id text NOT NULL REFERENCES retailers,
  override_id text NOT NULL,
  -- As it was drawn: what is allowed does not move with the geofence.
  geofence jsonb NOT NULL,
  places text[] NOT NULL,
  reason text NOT NULL,
  until timestamptz NOT NULL,
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL,
  approved_by text,
  approved_at timestamptz,
  ended_by text,
  ended_at timestamptz,
  PRIMARY KEY (retailer_id, override_id),
  CHECK (approved_by <> asked_by),
  CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
  CHECK ((ended_by IS NULL) = (ended_at IS NULL))
);
ALTER TABLE overrides ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON overrides USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE ON overrides TO vicino_app;

ALTER TABLE published DROP CONSTRAINT published_kind_check;
ALTER TABLE published ADD CONSTRAINT published_kind_check
  CHECK (kind IN ('settings', 'store', 'geofence', 'product', 'offer', 'sensitive', 'override'));

-- migrate:down

DELETE FROM published WHERE kind = 'override';
ALTER TABLE published DROP CONSTRAINT published_kind_check;
ALTER TABLE published ADD CONSTRAINT published_kind_check
  CHECK (kind IN ('settings', 'store', 'geofence', 'product', 'offer', 'sensitive'));
DROP TABLE overrides;
