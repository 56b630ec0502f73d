-- migrate:up

-- What was told of a shopper is found when she is erased.
CREATE INDEX webhook_messages_shopper ON webhook_messages (retailer_id, shopper_id) WHERE shopper_id IS NOT NULL;

-- migrate:down

DROP INDEX webhook_messages_shopper;
