-- migrate:up

-- What a shopper's inputs are sealed with while they lie in Kafka, where nothing can be taken out. Who is erased
-- loses her key: what lies there then opens for nobody.
CREATE TABLE topic_keys (
  retailer_id text NOT NULL REFERENCES retailers,
  shopper_id text NOT NULL,
  -- Names the key in the topic: random, and of nobody once the row is gone.
  subject bytea NOT NULL,
  key bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (retailer_id, shopper_id),
  UNIQUE (retailer_id, subject)
);
CREATE INDEX topic_keys_made ON topic_keys (retailer_id, created_at);
ALTER TABLE topic_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON topic_keys USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON topic_keys TO vicino_app;

-- migrate:down

DROP TABLE topic_keys;
