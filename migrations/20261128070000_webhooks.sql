-- migrate:up

-- Where a retailer's own servers want to hear of what happens. The signing secret is derived from the
-- retailer's, the endpoint's id and its generation, so it is stored nowhere.
CREATE TABLE webhook_endpoints (
  retailer_id text NOT NULL REFERENCES retailers,
  endpoint_id text NOT NULL,
  url text NOT NULL,
  types text[] NOT NULL,
  generation integer NOT NULL DEFAULT 1,
  -- Until when messages are signed with the generation before as well.
  overlap_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Set by whoever disabled it: the receiver answered 410 Gone, or the retailer.
  disabled_at timestamptz,
  disabled_reason text,
  PRIMARY KEY (retailer_id, endpoint_id)
);

-- One row per endpoint and event, made in the transaction of the event itself.
CREATE TABLE webhook_messages (
  retailer_id text NOT NULL,
  message_id text NOT NULL,
  endpoint_id text NOT NULL,
  type text NOT NULL,
  shopper_id text,
  payload jsonb NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'delivered', 'failed')),
  reason text,
  status integer,
  attempts integer NOT NULL DEFAULT 0,
  fencing bigint NOT NULL DEFAULT 0,
  -- When the server learned of the event, by the server's clock.
  created_at timestamptz NOT NULL,
  -- Tries end 24 hours after this: created_at, or the time of the last replay.
  queued_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  leased_until timestamptz,
  settled_at timestamptz,
  PRIMARY KEY (retailer_id, message_id),
  FOREIGN KEY (retailer_id, endpoint_id) REFERENCES webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX webhook_messages_due ON webhook_messages (due_at) WHERE state IN ('pending', 'leased');
CREATE INDEX webhook_messages_listed ON webhook_messages (retailer_id, endpoint_id, created_at, message_id);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['webhook_endpoints', 'webhook_messages'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (retailer_id = current_retailer())', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO vicino_app', t);
  END LOOP;
END
$$;

CREATE FUNCTION webhook_time(at timestamptz) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- Puts an event into the queue of every endpoint that wants its type. The message's id follows from the
-- endpoint and the event: the same event again, after a crash, is the same message.
CREATE FUNCTION queue_webhooks(
  retailer text, event_type text, event_key text, shopper text, learned_at timestamptz, data jsonb
) RETURNS void
  LANGUAGE sql
  AS $$
    INSERT INTO webhook_messages
      (retailer_id, message_id, endpoint_id, type, shopper_id, payload, created_at, queued_at, due_at)
    SELECT retailer,
           'msg_' || left(encode(sha256(convert_to(concat_ws(' ', e.endpoint_id, event_type, event_key), 'UTF8')), 'hex'), 32),
           e.endpoint_id, event_type, shopper,
           jsonb_build_object('type', event_type, 'timestamp', webhook_time(learned_at), 'data', jsonb_strip_nulls(data)),
           learned_at, learned_at, learned_at
    FROM webhook_endpoints e
    WHERE e.retailer_id = retailer AND e.disabled_at IS NULL AND event_type = ANY (e.types)
    ON CONFLICT DO NOTHING
  $$;

-- The events, told by the tables that hold them: whoever writes a row tells of it, in the same transaction.
CREATE FUNCTION tell_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    PERFORM queue_webhooks(t.retailer_id, 'transition.' || t.kind, t.transition_id, t.shopper_id, t.received_at,
      jsonb_build_object('transition_id', t.transition_id, 'device_id', t.device_id, 'shopper_id', t.shopper_id,
        'geofence', t.geofence, 'store', t.store, 'kind', t.kind, 'at', webhook_time(t.at),
        'received_at', webhook_time(t.received_at), 'confidence', round(t.confidence::numeric, 3), 'revised', t.revised))
    FROM written t;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER INSERT ON transitions
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_transitions();

CREATE FUNCTION tell_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    PERFORM queue_webhooks(d.retailer_id, 'decision.' || d.outcome, d.decision_id, d.shopper_id, d.decided_at,
      jsonb_build_object('decision_id', d.decision_id, 'device_id', d.device_id, 'shopper_id', d.shopper_id,
        'store', d.store, 'outcome', d.outcome, 'offer', d.offer, 'reasons', to_jsonb(d.reasons),
        'decided_at', webhook_time(d.decided_at)))
    FROM written d;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER INSERT ON decisions
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_decisions();

-- A push in a terminal state, whether it was written so or came to it.
CREATE FUNCTION tell_push(o outbox) RETURNS void LANGUAGE sql AS $$
  SELECT queue_webhooks(o.retailer_id, 'push.' || o.state, o.push_id, o.shopper_id,
    coalesce(o.accepted_at, o.claimed_at, o.decided_at),
    jsonb_build_object('push_id', o.push_id, 'decision_id', o.decision_id, 'device_id', o.device_id,
      'shopper_id', o.shopper_id, 'store', o.store, 'state', o.state, 'reason', o.reason,
      'accepted_at', webhook_time(o.accepted_at)))
$$;
CREATE FUNCTION tell_pushes() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER tell_webhooks_new AFTER INSERT ON outbox
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_pushes();
CREATE TRIGGER tell_webhooks_changed AFTER UPDATE ON outbox
  REFERENCING OLD TABLE AS before NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_pushes();

CREATE FUNCTION tell_redemptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    PERFORM queue_webhooks(c.retailer_id, 'coupon.redeemed', c.decision_id, c.shopper_id, c.redeemed_at,
      jsonb_build_object('decision_id', c.decision_id, 'shopper_id', c.shopper_id, 'offer', c.offer, 'sku', c.sku,
        'store', c.redeemed_store, 'redeemed_at', webhook_time(c.redeemed_at)))
    FROM written c JOIN before b USING (retailer_id, code_hash)
    WHERE c.status = 'redeemed' AND b.status <> 'redeemed';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_webhooks AFTER UPDATE ON coupons
  REFERENCING OLD TABLE AS before NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION tell_redemptions();

-- Endpoints with a message to send; asked of no tenant, answered with ids alone.
CREATE FUNCTION webhooks_due(now_at timestamptz) RETURNS TABLE (retailer_id text, endpoint_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT DISTINCT m.retailer_id, m.endpoint_id FROM webhook_messages m
        WHERE (m.state = 'pending' AND m.due_at <= now_at) OR (m.state = 'leased' AND m.leased_until <= now_at)
        ORDER BY 1, 2 $$;
REVOKE ALL ON FUNCTION webhooks_due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhooks_due TO vicino_app;

-- migrate:down

DROP TRIGGER tell_webhooks ON transitions;
DROP TRIGGER tell_webhooks ON decisions;
DROP TRIGGER tell_webhooks_new ON outbox;
DROP TRIGGER tell_webhooks_changed ON outbox;
DROP TRIGGER tell_webhooks ON coupons;
DROP FUNCTION webhooks_due, tell_transitions, tell_decisions, tell_pushes, tell_redemptions;
DROP FUNCTION tell_push, queue_webhooks, webhook_time;
DROP TABLE webhook_messages, webhook_endpoints;
