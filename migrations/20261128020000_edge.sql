-- migrate:up

-- The deadline ledger: when the decision behind a push was written to the journal.
ALTER TABLE outbox ADD COLUMN journaled_at timestamptz;

-- migrate:down

ALTER TABLE outbox DROP COLUMN journaled_at;
