-- migrate:up

-- A device that appeared by an ingest address: whoever holds the app key speaks for it. One that registered
-- speaks for itself, with its token.
ALTER TABLE devices ADD COLUMN by_app_key boolean NOT NULL DEFAULT false;

-- Records of phones that could not be read: what was wrong with them, once a day, device and kind of trouble.
-- Their content is not kept: whose they are, and whether she permits it, is not known of what cannot be read.
ALTER TABLE quarantine ADD COLUMN trouble_hash bytea;
CREATE UNIQUE INDEX quarantine_trouble ON quarantine (retailer_id, trouble_hash) WHERE trouble_hash IS NOT NULL;

-- The circles of stores' geofences that a phone was last told to watch, packed, with the number that it knows
-- each by. Circles around the phone itself are not kept.
CREATE TABLE watched_regions (
  retailer_id text NOT NULL,
  device_id text NOT NULL,
  circles bytea NOT NULL,
  PRIMARY KEY (retailer_id, device_id),
  FOREIGN KEY (retailer_id, device_id) REFERENCES devices ON DELETE CASCADE
);
ALTER TABLE watched_regions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON watched_regions USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON watched_regions TO vicino_app;

-- migrate:down

DROP TABLE watched_regions;
DROP INDEX quarantine_trouble;
ALTER TABLE quarantine DROP COLUMN trouble_hash;
ALTER TABLE devices DROP COLUMN by_app_key;
