-- migrate:up

-- The role that Vicino's connections take (SET ROLE). It owns nothing, so row-level security binds it:
-- without `vicino.retailer_id` set in the transaction it sees no row of anybody.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vicino_app') THEN
    CREATE ROLE vicino_app NOLOGIN;
    GRANT vicino_app TO CURRENT_USER;
  ELSIF NOT pg_has_role('vicino_app', 'MEMBER') THEN
    GRANT vicino_app TO CURRENT_USER;
  END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO vicino_app;

-- The tenant of the running transaction; NULL when none was set, so that every policy fails closed.
CREATE FUNCTION current_retailer() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('vicino.retailer_id', true), '') $$;

CREATE TABLE retailers (
  retailer_id text PRIMARY KEY,
  name text NOT NULL,
  -- The newest published version of stores, geofences, products, offers and settings.
  version bigint NOT NULL DEFAULT 0,
  -- The newest journal entry; its row lock is what puts a retailer's micro-batches in one order.
  journal_seq bigint NOT NULL DEFAULT 0,
  -- Keys coupon codes and the holdout's hash; never leaves the database and the engine.
  secret bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- App, server and till keys; only their SHA-256 is kept.
CREATE TABLE api_keys (
  retailer_id text NOT NULL REFERENCES retailers,
  key_hash bytea NOT NULL,
  kind text NOT NULL CHECK (kind IN ('app', 'server', 'till')),
  store text,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  PRIMARY KEY (retailer_id, key_hash)
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (key_hash);

-- Everything a marketer or store manager publishes, each change under a new version of the retailer:
-- the rows of version v are those with version_from <= v AND (version_to IS NULL OR version_to > v).
CREATE TABLE published (
  retailer_id text NOT NULL REFERENCES retailers,
  kind text NOT NULL CHECK (kind IN ('settings', 'store', 'geofence', 'product', 'offer', 'sensitive')),
  external_id text NOT NULL,
  version_from bigint NOT NULL,
  version_to bigint,
  body jsonb NOT NULL,
  published_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (retailer_id, kind, external_id, version_from)
);
CREATE UNIQUE INDEX published_now ON published (retailer_id, kind, external_id) WHERE version_to IS NULL;

-- A shopper is a person at one retailer, pseudonymous. `state` is the packed state that decisions read
-- (consents, preferences, interests, contacts, her devices' presence), written by the engine alone.
CREATE TABLE shoppers (
  retailer_id text NOT NULL REFERENCES retailers,
  shopper_id text NOT NULL,
  user_hash bytea,
  state bytea NOT NULL,
  -- The day (UTC, of the journal) on which `state` was last written.
  state_day date NOT NULL,
  -- When the earliest timer (dwell, time-out) of any of her devices is due.
  wake_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (retailer_id, shopper_id)
);
CREATE UNIQUE INDEX shoppers_user ON shoppers (retailer_id, user_hash) WHERE user_hash IS NOT NULL;
CREATE INDEX shoppers_wake ON shoppers (retailer_id, wake_at) WHERE wake_at IS NOT NULL;

-- A shopper's state as it stood at the start of a day on which it changed (NULL: she was unknown then).
-- It is where the replay of a stored day begins; it goes with that day's journal.
CREATE TABLE shopper_days (
  retailer_id text NOT NULL,
  day date NOT NULL,
  shopper_id text NOT NULL,
  state bytea,
  PRIMARY KEY (retailer_id, day, shopper_id)
);
CREATE INDEX shopper_days_age ON shopper_days (day);

CREATE TABLE devices (
  retailer_id text NOT NULL,
  device_id text NOT NULL,
  shopper_id text NOT NULL,
  platform text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (retailer_id, device_id),
  FOREIGN KEY (retailer_id, shopper_id) REFERENCES shoppers
);
CREATE INDEX devices_shopper ON devices (retailer_id, shopper_id);

CREATE TABLE push_addresses (
  retailer_id text NOT NULL,
  device_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('fcm_token', 'fcm_fid')),
  value text NOT NULL,
  confirmed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (retailer_id, device_id),
  FOREIGN KEY (retailer_id, device_id) REFERENCES devices ON DELETE CASCADE
);

-- Refresh tokens rotate; using one twice revokes its family.
CREATE TABLE refresh_tokens (
  retailer_id text NOT NULL,
  token_hash bytea NOT NULL,
  family text NOT NULL,
  device_id text NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (retailer_id, token_hash),
  FOREIGN KEY (retailer_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (retailer_id, family);

-- The durable log of everything accepted that can change a decision: one packed row per micro-batch,
-- in one order per retailer. Coordinates are kept here, for the retention, and in a shopper's state.
-- A day's partition is made by open_journal_day and dropped, with its coordinates, by drop_journal_days.
CREATE TABLE journal (
  retailer_id text NOT NULL,
  seq bigint NOT NULL,
  day date NOT NULL,
  written_at timestamptz NOT NULL,
  version bigint NOT NULL,
  inputs bytea NOT NULL,
  PRIMARY KEY (retailer_id, day, seq)
) PARTITION BY RANGE (day);

CREATE TABLE transitions (
  retailer_id text NOT NULL,
  transition_id text NOT NULL,
  device_id text NOT NULL,
  shopper_id text NOT NULL,
  geofence text NOT NULL,
  store text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('enter', 'dwell', 'exit', 'pass_by')),
  at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  confidence real NOT NULL,
  -- True when a late fix made it: it corrects history and never pushes.
  revised boolean NOT NULL DEFAULT false,
  PRIMARY KEY (retailer_id, transition_id)
);
CREATE INDEX transitions_device ON transitions (retailer_id, device_id, at);

CREATE TABLE visits (
  retailer_id text NOT NULL,
  device_id text NOT NULL,
  geofence text NOT NULL,
  entered_at timestamptz NOT NULL,
  shopper_id text NOT NULL,
  store text NOT NULL,
  dwelled_at timestamptz,
  exited_at timestamptz,
  PRIMARY KEY (retailer_id, device_id, geofence, entered_at)
);
CREATE INDEX visits_shopper ON visits (retailer_id, shopper_id, entered_at);

-- One row per moment: the offer or the silence, with its receipt. The key makes a second decision impossible.
CREATE TABLE decisions (
  retailer_id text NOT NULL,
  decision_id text NOT NULL,
  moment_id text NOT NULL,
  shopper_id text NOT NULL,
  device_id text NOT NULL,
  store text,
  outcome text NOT NULL CHECK (outcome IN ('offer', 'silence')),
  offer text,
  reasons text[] NOT NULL,
  decided_at timestamptz NOT NULL,
  version bigint NOT NULL,
  journal_seq bigint NOT NULL,
  receipt jsonb NOT NULL,
  PRIMARY KEY (retailer_id, decision_id),
  UNIQUE (retailer_id, moment_id)
);
CREATE INDEX decisions_device ON decisions (retailer_id, device_id, decided_at DESC, decision_id DESC);
CREATE INDEX decisions_seq ON decisions (retailer_id, journal_seq);

-- What an offer has given out. `outstanding` = issued, neither redeemed nor expired.
CREATE TABLE ledgers (
  retailer_id text NOT NULL,
  offer text NOT NULL,
  issued bigint NOT NULL DEFAULT 0,
  outstanding bigint NOT NULL DEFAULT 0,
  redeemed bigint NOT NULL DEFAULT 0,
  spend_reserved numeric NOT NULL DEFAULT 0,
  spend_committed numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (retailer_id, offer),
  CHECK (outstanding >= 0 AND spend_reserved >= 0)
);

-- Offers decided per day (UTC): scope is 'retailer' or 'store:' with its external id.
CREATE TABLE quotas (
  retailer_id text NOT NULL,
  scope text NOT NULL,
  day date NOT NULL,
  sent bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (retailer_id, scope, day)
);

CREATE TABLE coupons (
  retailer_id text NOT NULL,
  code_hash bytea NOT NULL,
  decision_id text NOT NULL,
  shopper_id text NOT NULL,
  offer text NOT NULL,
  store text NOT NULL,
  status text NOT NULL DEFAULT 'reserved' CHECK (status IN ('reserved', 'redeemed', 'expired')),
  -- What it can cost at the most, held in the offer's ledger until redeemed or expired.
  spend numeric NOT NULL,
  -- The product that the push named.
  sku text,
  discount jsonb NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  redeemed_at timestamptz,
  redeemed_store text,
  PRIMARY KEY (retailer_id, code_hash),
  UNIQUE (retailer_id, decision_id)
);
CREATE INDEX coupons_expiring ON coupons (retailer_id, expires_at) WHERE status = 'reserved';

-- Pushes committed with their decision. A relay claims a row by lease; the fencing token makes the
-- result of a relay whose lease ran out count for nothing.
CREATE TABLE outbox (
  retailer_id text NOT NULL,
  push_id text NOT NULL,
  decision_id text NOT NULL,
  shopper_id text NOT NULL,
  device_id text NOT NULL,
  store text NOT NULL,
  item jsonb NOT NULL,
  state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'leased', 'sent', 'expired', 'withdrawn', 'failed', 'inbox_only')),
  reason text,
  attempts integer NOT NULL DEFAULT 0,
  fencing bigint NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  leased_until timestamptz,
  received_at timestamptz NOT NULL,
  decided_at timestamptz NOT NULL,
  claimed_at timestamptz,
  accepted_at timestamptz,
  expires_at timestamptz NOT NULL,
  provider_id text,
  PRIMARY KEY (retailer_id, push_id),
  UNIQUE (retailer_id, decision_id)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state IN ('pending', 'leased');
CREATE INDEX outbox_shopper ON outbox (retailer_id, shopper_id) WHERE state IN ('pending', 'leased');

CREATE TABLE inbox (
  retailer_id text NOT NULL,
  item_id text NOT NULL,
  shopper_id text NOT NULL,
  device_id text NOT NULL,
  decision_id text NOT NULL,
  item jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  delivered_at timestamptz,
  opened_at timestamptz,
  dismissed_at timestamptz,
  PRIMARY KEY (retailer_id, item_id),
  UNIQUE (retailer_id, decision_id)
);
CREATE INDEX inbox_shopper ON inbox (retailer_id, shopper_id, created_at DESC, item_id DESC);

-- First answers to requests that carried an Idempotency-Key, kept 24 h.
CREATE TABLE idempotency (
  retailer_id text NOT NULL,
  caller text NOT NULL,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  status integer,
  body bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (retailer_id, caller, key)
);
CREATE INDEX idempotency_age ON idempotency (retailer_id, created_at);

-- Inputs that could not be processed: taken out of their batch, with the reason, never in its way again.
CREATE TABLE quarantine (
  retailer_id text NOT NULL,
  quarantine_id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT now(),
  reason text NOT NULL,
  detail text NOT NULL,
  input bytea,
  PRIMARY KEY (retailer_id, quarantine_id)
);

-- Keys that sign access tokens, by key id. Of the whole installation, so without a retailer.
CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  secret bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Row-level security on every table with a retailer. The owner (migrations, the functions below) is
-- exempt; every connection of the server takes the role vicino_app, which is not.
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['retailers', 'api_keys', 'published', 'shoppers', 'shopper_days', 'devices',
    'push_addresses', 'refresh_tokens', 'journal', 'transitions', 'visits', 'decisions', 'ledgers',
    'quotas', 'coupons', 'outbox', 'inbox', 'idempotency', 'quarantine']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (retailer_id = current_retailer())', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO vicino_app', t);
  END LOOP;
END
$$;
GRANT SELECT ON signing_keys TO vicino_app;

-- The few questions that must be asked before the tenant is known. They run as the owner and answer
-- with ids only.
CREATE FUNCTION key_owner(hash bytea) RETURNS TABLE (retailer_id text, kind text, store text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT k.retailer_id, k.kind, k.store FROM api_keys k
        WHERE k.key_hash = hash AND k.revoked_at IS NULL $$;

CREATE FUNCTION retailer_ids() RETURNS SETOF text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT r.retailer_id FROM retailers r ORDER BY r.retailer_id $$;

-- Retailers with a push to claim: pending and due, or leased by a relay that has gone away.
CREATE FUNCTION retailers_with_due_pushes(now_at timestamptz) RETURNS SETOF text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT DISTINCT o.retailer_id FROM outbox o
        WHERE (o.state = 'pending' AND o.due_at <= now_at)
           OR (o.state = 'leased' AND o.leased_until <= now_at) $$;

-- Makes the journal's partition of a day, if it is not there. Nobody is granted anything on a partition:
-- it is reached through the journal and its policy alone.
CREATE FUNCTION open_journal_day(day date) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$
  DECLARE partition text := 'journal_' || to_char(day, 'YYYYMMDD');
  BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
      RETURN;
    END IF;
    -- Two may ask for a new day at once: the second waits here, and finds it made.
    PERFORM pg_advisory_xact_lock(hashtext('vicino.open_journal_day'));
    IF to_regclass(partition) IS NULL THEN
      -- Attached, not created as a partition: that would lock out everybody who reads the journal.
      EXECUTE format('CREATE TABLE %I (LIKE journal INCLUDING ALL)', partition);
      EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
      EXECUTE format('ALTER TABLE journal ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
    END IF;
  END $$;

-- Drops the journal of all days before this one, and the states that only its replay needs.
-- Gives up at once where somebody reads the journal, rather than make everybody wait behind it.
CREATE FUNCTION drop_journal_days(before date) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '200ms'
  AS $$
  DECLARE partition text;
  BEGIN
    FOR partition IN
      SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'journal'::regclass AND c.relname < 'journal_' || to_char(before, 'YYYYMMDD')
    LOOP
      EXECUTE format('DROP TABLE %I', partition);
    END LOOP;
    DELETE FROM shopper_days d WHERE d.day < before;
    DELETE FROM quarantine q WHERE q.at < before;
  END $$;

REVOKE ALL ON FUNCTION key_owner, retailer_ids, retailers_with_due_pushes, open_journal_day, drop_journal_days
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_owner, retailer_ids, retailers_with_due_pushes, open_journal_day, drop_journal_days
  TO vicino_app;

-- migrate:down

DROP FUNCTION key_owner, retailer_ids, retailers_with_due_pushes, open_journal_day, drop_journal_days;
DROP TABLE signing_keys, quarantine, idempotency, inbox, outbox, coupons, quotas, ledgers, decisions,
  visits, transitions, journal, refresh_tokens, push_addresses, devices, shopper_days, shoppers,
  published, api_keys, retailers;
DROP FUNCTION current_retailer;
REVOKE USAGE ON SCHEMA public FROM vicino_app;
