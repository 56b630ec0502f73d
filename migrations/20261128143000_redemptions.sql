-- migrate:up

-- What a coupon has cost so far; `spend` is what is still held for it while it is reserved.
ALTER TABLE coupons ADD COLUMN spent numeric NOT NULL DEFAULT 0, ADD COLUMN reversed_at timestamptz;
UPDATE coupons SET spent = spend WHERE status = 'redeemed';

-- How a till's key has fared: what it redeemed this hour, how many codes in a row it had wrong, until when it is locked.
CREATE TABLE tills (
  retailer_id text NOT NULL REFERENCES retailers,
  till text NOT NULL,
  hour timestamptz NOT NULL,
  redeemed integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  PRIMARY KEY (retailer_id, till)
);
ALTER TABLE tills ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tills USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON tills TO vicino_app;

-- When she saw an item in the app's inbox.
ALTER TABLE inbox ADD COLUMN read_at timestamptz;

CREATE OR REPLACE FUNCTION tell_redemptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM webhook_endpoints WHERE retailer_id = current_retailer()) THEN
    PERFORM queue_webhooks(c.retailer_id, 'coupon.redeemed', c.decision_id || ' ' || webhook_time(c.redeemed_at), c.shopper_id,
      c.redeemed_at,
      jsonb_build_object('decision_id', c.decision_id, 'shopper_id', c.shopper_id, 'offer', c.offer, 'sku', c.sku,
        'store', c.redeemed_store, 'redeemed_at', webhook_time(c.redeemed_at), 'saving', (c.spent - b.spent)::text))
    FROM written c JOIN before b USING (retailer_id, code_hash)
    WHERE c.redeemed_at IS DISTINCT FROM b.redeemed_at AND c.redeemed_at IS NOT NULL;
    PERFORM queue_webhooks(c.retailer_id, 'coupon.reversed', c.decision_id || ' ' || webhook_time(c.reversed_at), c.shopper_id,
      c.reversed_at,
      jsonb_build_object('decision_id', c.decision_id, 'shopper_id', c.shopper_id, 'offer', c.offer, 'sku', c.sku,
        'store', b.redeemed_store, 'reversed_at', webhook_time(c.reversed_at), 'saving', b.spent::text))
    FROM written c JOIN before b USING (retailer_id, code_hash)
    WHERE c.reversed_at IS DISTINCT FROM b.reversed_at AND c.reversed_at IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;

-- migrate:down

CREATE OR REPLACE FUNCTION tell_redemptions() RETURNS trigger LANGUAGE plpgsql AS $$
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
ALTER TABLE inbox DROP COLUMN read_at;
DROP TABLE tills;
ALTER TABLE coupons DROP COLUMN reversed_at, DROP COLUMN spent;
