-- migrate:up

-- What is old is found from the oldest on. Rows come in the order of these times, so each is added at the end.
CREATE INDEX transitions_age ON transitions (at);
CREATE INDEX visits_age ON visits (entered_at);
CREATE INDEX decisions_age ON decisions (decided_at);
CREATE INDEX coupons_age ON coupons (issued_at);
CREATE INDEX inbox_age ON inbox (created_at);
CREATE INDEX outbox_age ON outbox (decided_at);
CREATE INDEX erasures_age ON erasures (erased_at);

-- Deletes, of all retailers, at most so many rows of a table that are older than its time; how many it were.
CREATE FUNCTION forget_older(of_table text, before timestamptz, most integer) RETURNS bigint
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
REVOKE ALL ON FUNCTION forget_older FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_older TO vicino_app;

-- migrate:down

DROP FUNCTION forget_older;
DROP INDEX erasures_age, outbox_age, inbox_age, coupons_age, decisions_age, visits_age, transitions_age;
