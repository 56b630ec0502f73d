-- migrate:up

-- People who sign in to the console. Each belongs to one retailer; an address is that of one account.
CREATE TABLE users (
  retailer_id text NOT NULL REFERENCES retailers,
  user_id text NOT NULL,
  email text NOT NULL,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('admin', 'manager', 'marketer', 'analyst', 'privacy')),
  -- Of a store manager: the stores that the account may see and touch.
  stores text[] NOT NULL DEFAULT '{}',
  -- Argon2id, with its parameters.
  password_hash text NOT NULL,
  -- Of the second factor: NULL where there is none; not asked for before it was confirmed once.
  totp_secret bytea,
  totp_confirmed boolean NOT NULL DEFAULT false,
  -- The time step of the newest code that was accepted: a code is good once.
  totp_step bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz,
  PRIMARY KEY (retailer_id, user_id)
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- Who is signed in. The cookie holds 256 random bits, of which only the SHA-256 is kept.
CREATE TABLE sessions (
  retailer_id text NOT NULL,
  token_hash bytea NOT NULL,
  user_id text NOT NULL,
  created_at timestamptz NOT NULL,
  -- The newest request that a person made (not what a page asks by itself).
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (retailer_id, token_hash),
  FOREIGN KEY (retailer_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE UNIQUE INDEX sessions_token ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (retailer_id, user_id);

-- What people did, each entry chained to the one before by its hash: one that is changed or taken out shows.
CREATE TABLE audit (
  retailer_id text NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL,
  -- Who: an account, or `command` for the command line.
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  detail jsonb NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (retailer_id, seq)
);

-- Who published a body: an account of the console; NULL: a server or a command.
ALTER TABLE published ADD COLUMN published_by text DEFAULT nullif(current_setting('vicino.author', true), '');

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['users', 'sessions']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I USING (retailer_id = current_retailer())', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO vicino_app', t);
  END LOOP;
END
$$;

-- Append-only: the server can add an entry, and neither change one nor take one out.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON audit FOR SELECT USING (retailer_id = current_retailer());
CREATE POLICY tenant_adds ON audit FOR INSERT WITH CHECK (retailer_id = current_retailer());
CREATE POLICY nobody_changes ON audit FOR UPDATE USING (retailer_id = current_retailer()) WITH CHECK (false);
-- (UPDATE is granted for the policy to refuse it by name.)
GRANT SELECT, INSERT, UPDATE ON audit TO vicino_app;

-- Whose account an address is; asked before the tenant is known.
CREATE FUNCTION user_account(address text) RETURNS TABLE (retailer_id text, user_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT u.retailer_id, u.user_id FROM users u
        WHERE lower(u.email) = lower(address) AND u.disabled_at IS NULL $$;

-- Whose session a cookie is, if it still holds. `awake`: a person asks, which keeps it alive.
CREATE FUNCTION session_user_of(hash bytea, now_at timestamptz, idle interval, most interval, awake boolean)
  RETURNS TABLE (retailer_id text, user_id text, email text, name text, role text, stores text[], totp boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$
  BEGIN
    IF awake THEN
      UPDATE sessions s SET seen_at = now_at
      WHERE s.token_hash = hash AND s.seen_at + idle > now_at AND s.created_at + most > now_at
        AND s.seen_at < now_at - interval '20 seconds';
    END IF;
    RETURN QUERY SELECT u.retailer_id, u.user_id, u.email, u.name, u.role, u.stores, u.totp_confirmed
    FROM sessions s JOIN users u USING (retailer_id, user_id)
    WHERE s.token_hash = hash AND s.seen_at + idle > now_at AND s.created_at + most > now_at
      AND u.disabled_at IS NULL;
  END $$;

REVOKE ALL ON FUNCTION user_account, session_user_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION user_account, session_user_of TO vicino_app;

-- migrate:down

DROP FUNCTION user_account, session_user_of;
ALTER TABLE published DROP COLUMN published_by;
DROP TABLE audit, sessions, users;
