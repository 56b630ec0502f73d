-- migrate:up

-- A push of the kind `recall` takes back one that was sent: she has left. `superseded`: a newer offer took its place
-- before it was sent.
ALTER TABLE outbox
  ADD COLUMN kind text NOT NULL DEFAULT 'offer' CHECK (kind IN ('offer', 'recall')),
  -- Rather not sent than perhaps sent twice.
  ADD COLUMN at_most_once boolean NOT NULL DEFAULT false,
  DROP CONSTRAINT outbox_state_check,
  ADD CONSTRAINT outbox_state_check CHECK
    (state IN ('pending', 'leased', 'sent', 'expired', 'withdrawn', 'superseded', 'failed', 'inbox_only')),
  DROP CONSTRAINT outbox_retailer_id_decision_id_key,
  ADD CONSTRAINT outbox_decision UNIQUE (retailer_id, decision_id, kind);
-- What is on phones and may have to be taken back.
CREATE INDEX outbox_shown ON outbox (retailer_id, shopper_id, expires_at) WHERE state = 'sent' AND kind = 'offer';

ALTER TABLE push_addresses
  DROP CONSTRAINT push_addresses_kind_check,
  ADD CONSTRAINT push_addresses_kind_check CHECK (kind IN ('fcm_token', 'fcm_fid', 'fcm_web'));
CREATE INDEX push_addresses_age ON push_addresses (retailer_id, confirmed_at);

-- A recall is no event of its own for webhooks.
CREATE OR REPLACE FUNCTION tell_pushes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_push(o) FROM written o WHERE o.kind = 'offer' AND o.state NOT IN ('pending', 'leased');
  ELSE
    PERFORM tell_push(o::outbox) FROM written o JOIN before b USING (retailer_id, push_id)
    WHERE o.kind = 'offer' AND o.state <> b.state AND o.state NOT IN ('pending', 'leased');
  END IF;
  RETURN NULL;
END $$;

-- migrate:down

DELETE FROM outbox WHERE kind = 'recall';
UPDATE outbox SET state = 'withdrawn' WHERE state = 'superseded';
DELETE FROM push_addresses WHERE kind = 'fcm_web';
DROP INDEX push_addresses_age;
ALTER TABLE push_addresses
  DROP CONSTRAINT push_addresses_kind_check,
  ADD CONSTRAINT push_addresses_kind_check CHECK (kind IN ('fcm_token', 'fcm_fid'));
DROP INDEX outbox_shown;
CREATE OR REPLACE FUNCTION tell_pushes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_push(o) FROM written o WHERE o.state NOT IN ('pending', 'leased');
  ELSE
    PERFORM tell_push(o::outbox) FROM written o JOIN before b USING (retailer_id, push_id)
    WHERE o.state <> b.state AND o.state NOT IN ('pending', 'leased');
  END IF;
  RETURN NULL;
END $$;
ALTER TABLE outbox
  DROP CONSTRAINT outbox_decision,
  ADD CONSTRAINT outbox_retailer_id_decision_id_key UNIQUE (retailer_id, decision_id),
  DROP CONSTRAINT outbox_state_check,
  ADD CONSTRAINT outbox_state_check CHECK
    (state IN ('pending', 'leased', 'sent', 'expired', 'withdrawn', 'failed', 'inbox_only')),
  DROP COLUMN at_most_once,
  DROP COLUMN kind;
