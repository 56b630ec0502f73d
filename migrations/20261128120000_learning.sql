-- migrate:up

-- What the learning policy learned, one lesson after the other, each with the journal entry that it follows
-- from. From them a restart learns again what came after the newest row of `learners`, and a fit reads what
-- has happened.
CREATE TABLE lessons (
  retailer_id text NOT NULL REFERENCES retailers,
  seq bigint NOT NULL,
  number integer NOT NULL,
  learned_at timestamptz NOT NULL,
  -- Of whom it was learned; empty where learning begins anew.
  shopper_id text NOT NULL,
  lesson bytea NOT NULL,
  PRIMARY KEY (retailer_id, seq, number)
);
CREATE INDEX lessons_shopper ON lessons (retailer_id, shopper_id);
CREATE INDEX lessons_age ON lessons (learned_at);
ALTER TABLE lessons ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON lessons USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON lessons TO vicino_app;

-- All that was learned as of a journal entry, now and then.
CREATE TABLE learners (
  retailer_id text NOT NULL REFERENCES retailers,
  seq bigint NOT NULL,
  day date NOT NULL,
  learner bytea NOT NULL,
  PRIMARY KEY (retailer_id, seq)
);
ALTER TABLE learners ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON learners USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON learners TO vicino_app;

-- Fitted models. Which of them is in use is a setting, and so has versions.
CREATE TABLE models (
  retailer_id text NOT NULL REFERENCES retailers,
  model_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- The journal entry up to which it has read lessons.
  as_of bigint NOT NULL,
  learner bytea NOT NULL,
  figures jsonb NOT NULL,
  PRIMARY KEY (retailer_id, model_id)
);
ALTER TABLE models ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON models USING (retailer_id = current_retailer());
GRANT SELECT, INSERT, UPDATE, DELETE ON models TO vicino_app;

-- Lessons go by their age, too.
CREATE OR REPLACE FUNCTION forget_older(of_table text, before timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$
  DECLARE
    age text := CASE of_table
      WHEN 'transitions' THEN 'at' WHEN 'visits' THEN 'entered_at' WHEN 'decisions' THEN 'decided_at'
      WHEN 'coupons' THEN 'issued_at' WHEN 'inbox' THEN 'created_at' WHEN 'outbox' THEN 'decided_at'
      WHEN 'erasures' THEN 'erased_at' WHEN 'lessons' THEN 'learned_at' END;
    gone bigint;
  BEGIN
    IF age IS NULL THEN
      RAISE EXCEPTION 'nothing of % is forgotten by age', of_table;
    END IF;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM %1$I WHERE %2$I < $1 %3$s ORDER BY %2$I LIMIT $2 FOR UPDATE SKIP LOCKED))',
      of_table, age, CASE of_table WHEN 'coupons' THEN 'AND status <> ''reserved''' ELSE '' END)
    USING before, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
  END $$;

-- migrate:down

CREATE OR REPLACE FUNCTION forget_older(of_table text, before timestamptz, most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  AS $$
  DECLARE
    age text := CASE of_table
      WHEN 'transitions' THEN 'at' WHEN 'visits' THEN 'entered_at' WHEN 'decisions' THEN 'decided_at'
      WHEN 'coupons' THEN 'issued_at' WHEN 'inbox' THEN 'created_at' WHEN 'outbox' THEN 'decided_at'
      WHEN 'erasures' THEN 'erased_at' END;
    gone bigint;
  BEGIN
    IF age IS NULL THEN
      RAISE EXCEPTION 'nothing of % is forgotten by age', of_table;
    END IF;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM %1$I WHERE %2$I < $1 %3$s ORDER BY %2$I LIMIT $2 FOR UPDATE SKIP LOCKED))',
      of_table, age, CASE of_table WHEN 'coupons' THEN 'AND status <> ''reserved''' ELSE '' END)
    USING before, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
  END $$;

DROP TABLE models;
DROP TABLE learners;
DROP TABLE lessons;
