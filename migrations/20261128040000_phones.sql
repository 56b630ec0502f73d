-- migrate:up

-- A device that appeared by an ingest address: whoever holds the app key speaks for it. One that registered
-- speaks for itself, with its token.
ALTER TABLE devices ADD COLUMN by_app_key boolean NOT NULL DEFAULT false;

-- Of a device that signs what it sends: its Ed25519 public key.
ALTER TABLE devices ADD COLUMN public_key bytea;

-- Anonymous shoppers who logged in and turned out to be known: what is left under the former id (in the
-- journal, for its retention) is the known shopper's.
CREATE TABLE shopper_merges (
  retailer_id text NOT NULL,
  former_id text NOT NULL,
  shopper_id text NOT NULL,
  merged_at timestamptz NOT NULL,
  PRIMARY KEY (retailer_id, former_id)
);
CREATE INDEX shopper_merges_shopper ON shopper_merges (retailer_id, shopper_id);

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

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['watched_regions', 'shopper_merges']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (retailer_id = current_retailer())', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO vicino_app', t);
  END LOOP;
END
$$;

-- migrate:down

DROP TABLE watched_regions, shopper_merges;
DROP INDEX quarantine_trouble;
ALTER TABLE quarantine DROP COLUMN trouble_hash;
ALTER TABLE devices DROP COLUMN public_key, DROP COLUMN by_app_key;
