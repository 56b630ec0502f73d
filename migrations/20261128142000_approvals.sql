-- migrate:up

-- Who has approved an offer as it was then: a hash of its body without its status. A change needs approval anew.
CREATE TABLE offer_approvals (
  retailer_id text NOT NULL REFERENCES retailers,
  offer text NOT NULL,
  body_hash bytea NOT NULL,
  approver text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (retailer_id, offer, body_hash, approver)
);
ALTER TABLE offer_approvals ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON offer_approvals USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON offer_approvals TO vicino_app;

-- migrate:down

DROP TABLE offer_approvals;
