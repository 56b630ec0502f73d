-- migrate:up

-- The paper trail of permission: every answer a shopper gave, purpose by purpose, and every one that ran out.
CREATE TABLE consent_changes (
  retailer_id text NOT NULL,
  shopper_id text NOT NULL,
  change_id bigint GENERATED ALWAYS AS IDENTITY,
  purpose text NOT NULL,
  status text NOT NULL CHECK (status IN ('granted', 'withdrawn', 'expired')),
  at timestamptz NOT NULL,
  -- Of the text that she was shown.
  text_version text,
  text_hash text,
  locale text,
  -- When a grant runs out by itself.
  expires_at timestamptz,
  -- Who told it: her app, the retailer's servers, or the clock.
  told_by text NOT NULL CHECK (told_by IN ('app', 'retailer', 'clock')),
  PRIMARY KEY (retailer_id, shopper_id, change_id)
);
CREATE INDEX consent_changes_ending ON consent_changes (retailer_id, expires_at) WHERE status = 'granted';

-- Append-only: a row can be added, and goes with its shopper; nobody can change one.
ALTER TABLE consent_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON consent_changes FOR SELECT USING (retailer_id = current_retailer());
CREATE POLICY tenant_adds ON consent_changes FOR INSERT WITH CHECK (retailer_id = current_retailer());
CREATE POLICY tenant_erases ON consent_changes FOR DELETE USING (retailer_id = current_retailer());
CREATE POLICY nobody_changes ON consent_changes FOR UPDATE
  USING (retailer_id = current_retailer()) WITH CHECK (false);
GRANT SELECT, INSERT, UPDATE, DELETE ON consent_changes TO vicino_app;

-- migrate:down

DROP TABLE consent_changes;
