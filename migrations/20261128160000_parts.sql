-- migrate:up

-- A retailer's shoppers are divided into parts, each with a line and a journal of its own: Kafka's partitions, or
-- where the journal is in PostgreSQL the one part 0. The row lock of a head puts the part's micro-batches in order.
CREATE TABLE heads (
  retailer_id text NOT NULL REFERENCES retailers,
  part smallint NOT NULL,
  -- The newest journal entry.
  journal_seq bigint NOT NULL DEFAULT 0,
  -- Everything of the retailer's that lies before this offset of Kafka's partition is done.
  next_offset bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (retailer_id, part)
);
ALTER TABLE heads ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON heads USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON heads TO vicino_app;
INSERT INTO heads (retailer_id, part, journal_seq) SELECT retailer_id, 0, journal_seq FROM retailers;
ALTER TABLE retailers DROP COLUMN journal_seq;

-- Kafka's partitions, of the whole installation: as many as the topic of the journal has. Who takes one over
-- raises its epoch; what an earlier owner still tries to write fails.
CREATE TABLE partitions (
  part smallint PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 0,
  -- Everything before this offset is done, whosever it is.
  next_offset bigint NOT NULL DEFAULT 0
);
GRANT SELECT, UPDATE ON partitions TO vicino_app;

ALTER TABLE journal ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE journal DROP CONSTRAINT journal_pkey, ADD PRIMARY KEY (retailer_id, day, part, seq);
ALTER TABLE decisions ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE lessons ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE lessons DROP CONSTRAINT lessons_pkey, ADD PRIMARY KEY (retailer_id, part, seq, number);
ALTER TABLE learners ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE learners DROP CONSTRAINT learners_pkey, ADD PRIMARY KEY (retailer_id, part, seq);
ALTER TABLE checkpoints ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE checkpoints DROP CONSTRAINT checkpoints_pkey, ADD PRIMARY KEY (retailer_id, part);

-- A micro-batch from which nothing follows but that it is known where devices were: its place in line and its
-- journal row, in one round trip and a transaction of its own. False where the line has moved on without us, or the
-- partition is somebody else's by now.
DROP FUNCTION append_alone;
CREATE FUNCTION append_alone(
  of_retailer text, of_part smallint, by_epoch bigint, expected bigint, upto bigint,
  on_day date, at timestamptz, by_version bigint, batch bytea
) RETURNS boolean
  LANGUAGE plpgsql
  AS $$
  BEGIN
    PERFORM set_config('vicino.retailer_id', of_retailer, true);
    IF by_epoch IS NOT NULL THEN
      PERFORM FROM partitions p WHERE p.part = of_part AND p.epoch = by_epoch FOR SHARE;
      IF NOT FOUND THEN
        RETURN false;
      END IF;
    END IF;
    UPDATE heads SET journal_seq = expected + 1, next_offset = coalesce(upto, next_offset)
    WHERE retailer_id = of_retailer AND part = of_part AND journal_seq = expected;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
    INSERT INTO journal (retailer_id, part, seq, day, written_at, version, inputs)
    VALUES (of_retailer, of_part, expected + 1, on_day, at, by_version, batch);
    RETURN true;
  END $$;

-- What an engine asks before it knows of whom: how far each retailer is in a partition, and what is published.
CREATE FUNCTION heads_of(of_part smallint) RETURNS TABLE (retailer_id text, next_offset bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT h.retailer_id, h.next_offset FROM heads h WHERE h.part = of_part $$;

CREATE FUNCTION newest_versions() RETURNS TABLE (retailer_id text, version bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT r.retailer_id, r.version FROM retailers r $$;

-- Edges remember what shoppers permit; whoever is changed or gone is to be asked for again.
CREATE FUNCTION tell_consents() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('vicino_consents', changed.retailer_id || ' ' || changed.shopper_id)
    FROM (SELECT DISTINCT retailer_id, shopper_id FROM changed) AS changed;
    RETURN NULL;
  END $$;
CREATE TRIGGER tell_changed AFTER INSERT ON consent_changes
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_consents();
CREATE TRIGGER tell_gone AFTER DELETE ON shoppers
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tell_consents();

-- Relays of other processes are woken.
CREATE FUNCTION wake_relays() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('vicino_pushes', '');
    RETURN NULL;
  END $$;
CREATE TRIGGER wake_relays AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_relays();

REVOKE ALL ON FUNCTION heads_of, newest_versions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION heads_of, newest_versions TO vicino_app;

-- migrate:down

DROP TRIGGER wake_relays ON outbox;
DROP FUNCTION wake_relays;
DROP TRIGGER tell_gone ON shoppers;
DROP TRIGGER tell_changed ON consent_changes;
DROP FUNCTION tell_consents;
DROP FUNCTION newest_versions, heads_of, append_alone;
ALTER TABLE checkpoints DROP CONSTRAINT checkpoints_pkey;
DELETE FROM checkpoints WHERE part > 0;
ALTER TABLE checkpoints DROP COLUMN part, ADD PRIMARY KEY (retailer_id);
ALTER TABLE decisions DROP COLUMN part;
ALTER TABLE learners DROP CONSTRAINT learners_pkey;
DELETE FROM learners WHERE part > 0;
ALTER TABLE learners DROP COLUMN part, ADD PRIMARY KEY (retailer_id, seq);
ALTER TABLE lessons DROP CONSTRAINT lessons_pkey;
DELETE FROM lessons WHERE part > 0;
ALTER TABLE lessons DROP COLUMN part, ADD PRIMARY KEY (retailer_id, seq, number);
ALTER TABLE journal DROP CONSTRAINT journal_pkey;
DELETE FROM journal WHERE part > 0;
ALTER TABLE journal DROP COLUMN part, ADD PRIMARY KEY (retailer_id, day, seq);
DROP TABLE partitions;
ALTER TABLE retailers ADD COLUMN journal_seq bigint NOT NULL DEFAULT 0;
UPDATE retailers r SET journal_seq = h.journal_seq FROM heads h WHERE h.retailer_id = r.retailer_id AND h.part = 0;
DROP TABLE heads;
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
