-- migrate:up

-- What a relay claims comes in the order of its index, so that a claim of some costs the same whatever else waits; what is
-- over is found without looking at what is not.
CREATE INDEX outbox_next ON outbox (retailer_id, due_at, push_id) WHERE state IN ('pending', 'leased');
CREATE INDEX outbox_over ON outbox (retailer_id, expires_at) WHERE state IN ('pending', 'leased');
DROP INDEX outbox_due;

-- migrate:down

CREATE INDEX outbox_due ON outbox (due_at) WHERE state IN ('pending', 'leased');
DROP INDEX outbox_over;
DROP INDEX outbox_next;
