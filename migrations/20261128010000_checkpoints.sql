-- migrate:up

-- The journal entry after which a shopper's state holds. What came later of her is in the journal alone:
-- positions that led to nothing else.
ALTER TABLE shoppers ADD COLUMN state_seq bigint NOT NULL DEFAULT 0;

-- Up to which journal entry no shopper's state is behind; a restart reads the journal from there.
CREATE TABLE checkpoints (
  retailer_id text PRIMARY KEY REFERENCES retailers,
  seq bigint NOT NULL,
  day date NOT NULL
);
ALTER TABLE checkpoints ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON checkpoints USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoints TO vicino_app;

-- Until now every batch wrote all the states it changed.
INSERT INTO checkpoints (retailer_id, seq, day)
SELECT retailer_id, journal_seq, (now() AT TIME ZONE 'UTC')::date FROM retailers;

-- Columns of numbers hardly compress, and trying takes longer than writing them.
ALTER TABLE journal ALTER COLUMN inputs SET STORAGE EXTERNAL;
DO $$
DECLARE partition regclass;
BEGIN
  FOR partition IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'journal'::regclass LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN inputs SET STORAGE EXTERNAL', partition);
  END LOOP;
END
$$;

-- A micro-batch from which nothing follows but that it is known where devices were: its place in line and its
-- journal row, in one round trip and a transaction of its own. False where the line has moved on without us.
CREATE FUNCTION append_alone(
  of_retailer text, expected bigint, on_day date, at timestamptz, by_version bigint, batch bytea
) RETURNS boolean
  LANGUAGE plpgsql
  AS $$
  BEGIN
    PERFORM set_config('vicino.retailer_id', of_retailer, true);
    UPDATE retailers SET journal_seq = expected + 1
    WHERE retailer_id = of_retailer AND journal_seq = expected;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
    INSERT INTO journal (retailer_id, seq, day, written_at, version, inputs)
    VALUES (of_retailer, expected + 1, on_day, at, by_version, batch);
    RETURN true;
  END $$;

-- The packed states of shoppers, in one round trip.
CREATE FUNCTION states_of(of_retailer text, ids text[])
  RETURNS TABLE (shopper_id text, state bytea, state_day date, state_seq bigint)
  LANGUAGE plpgsql
  AS $$
  BEGIN
    PERFORM set_config('vicino.retailer_id', of_retailer, true);
    RETURN QUERY SELECT s.shopper_id, s.state, s.state_day, s.state_seq FROM shoppers s
      WHERE s.retailer_id = of_retailer AND s.shopper_id = ANY (ids);
  END $$;

-- migrate:down

DROP FUNCTION states_of;
DROP FUNCTION append_alone;
ALTER TABLE journal ALTER COLUMN inputs SET STORAGE EXTENDED;
DROP TABLE checkpoints;
ALTER TABLE shoppers DROP COLUMN state_seq;
