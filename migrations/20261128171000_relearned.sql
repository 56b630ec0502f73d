-- migrate:up

-- A model that was made again from the lessons that are left has a row for each part that had learned something.
ALTER TABLE models ADD COLUMN part smallint NOT NULL DEFAULT 0;
ALTER TABLE models DROP CONSTRAINT models_pkey, ADD PRIMARY KEY (retailer_id, model_id, part);

-- migrate:down

DELETE FROM models WHERE part > 0;
ALTER TABLE models DROP CONSTRAINT models_pkey;
ALTER TABLE models DROP COLUMN part, ADD PRIMARY KEY (retailer_id, model_id);
