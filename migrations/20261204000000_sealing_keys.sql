-- migrate:up

-- What secrets that are kept are sealed with (server/sealing_keys.py), by number: the highest seals, each opens what it
-- has sealed. The first of retailers that there were is their own secret, by which all was sealed until now.
CREATE TABLE sealing_keys (
  retailer_id text NOT NULL REFERENCES retailers,
  number int NOT NULL,
  secret bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (retailer_id, number)
);
ALTER TABLE sealing_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sealing_keys USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON sealing_keys TO vicino_app;
INSERT INTO sealing_keys (retailer_id, number, secret, created_at) SELECT retailer_id, 1, secret, now() FROM retailers;

-- By which key: of what is sealed alone. The default is what processes of before mean.
ALTER TABLE users ADD COLUMN totp_sealed_by int NOT NULL DEFAULT 1;
ALTER TABLE pool_codes ADD COLUMN sealed_by int NOT NULL DEFAULT 1;

-- migrate:down

-- What newer keys have sealed opens for nobody without them: second factors are to be set up anew, codes sent again.
UPDATE users SET totp_secret = NULL, totp_confirmed = false WHERE totp_secret IS NOT NULL AND NOT EXISTS (
  SELECT FROM sealing_keys k JOIN retailers r USING (retailer_id, secret)
  WHERE k.retailer_id = users.retailer_id AND k.number = users.totp_sealed_by);
DELETE FROM pool_codes WHERE sealed IS NOT NULL AND NOT EXISTS (
  SELECT FROM sealing_keys k JOIN retailers r USING (retailer_id, secret)
  WHERE k.retailer_id = pool_codes.retailer_id AND k.number = pool_codes.sealed_by);
ALTER TABLE pool_codes DROP COLUMN sealed_by;
ALTER TABLE users DROP COLUMN totp_sealed_by;
DROP TABLE sealing_keys;
