-- migrate:up

-- Somebody who was anonymous before she logged in has more than one id. Each that she is erased under gets a
-- row, so that each is known again; these belong to the erasure that was asked for, whose receipt counts for all.
ALTER TABLE erasures ADD COLUMN part_of text;

-- By which a kind of trouble with a device's records is kept once a day, and found when its shopper is erased.
CREATE FUNCTION trouble_hash(device_id text, reason text, detail text, at timestamptz) RETURNS bytea
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT sha256(convert_to(
          concat_ws(E'\n', device_id, reason, detail, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')), 'UTF8')) $$;

-- migrate:down

DROP FUNCTION trouble_hash;
-- Rows of former ids stay: they keep their keyed hashes.
ALTER TABLE erasures DROP COLUMN part_of;
