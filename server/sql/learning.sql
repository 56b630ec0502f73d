-- add_lessons --
-- What a batch taught, in order.
INSERT INTO lessons (retailer_id, part, seq, number, learned_at, shopper_id, lesson)
SELECT $1, $2, $3, l.number, $4, l.shopper_id, l.lesson
FROM unnest($5::text[], $6::bytea[]) WITH ORDINALITY AS l (shopper_id, lesson, number)

-- lessons_between --
-- The lessons after an entry, up to another and its lessons before a number.
SELECT seq, number, lesson FROM lessons
WHERE retailer_id = $1 AND part = $2 AND seq > $3 AND (seq, number) < ($4, $5) ORDER BY seq, number

-- lessons_of_batch --
-- What one batch taught.
SELECT lesson FROM lessons WHERE retailer_id = $1 AND part = $2 AND seq = $3 ORDER BY number

-- keep_learner --
-- All that was learned as of an entry.
INSERT INTO learners (retailer_id, part, seq, day, learner) VALUES ($1, $2, $3, $4, $5)

-- forget_learners --
-- Older ones than any day that can be replayed.
DELETE FROM learners WHERE retailer_id = $1 AND part = $2 AND day < $3

-- newest_learner --
-- The newest one before an entry.
SELECT seq, day, learner FROM learners WHERE retailer_id = $1 AND part = $2 AND seq < $3 ORDER BY seq DESC LIMIT 1

-- model --
-- A fitted model.
SELECT as_of, learner FROM models WHERE retailer_id = $1 AND model_id = $2

-- add_model --
-- A model that was fitted.
INSERT INTO models (retailer_id, model_id, as_of, learner, figures) VALUES ($1, $2, $3, $4, $5)

-- models --
-- All fitted models, the newest first.
SELECT model_id, created_at, as_of, figures FROM models WHERE retailer_id = $1 ORDER BY created_at DESC, model_id

-- outcomes --
-- All lessons, each with the shopper it is of.
SELECT seq, shopper_id, lesson FROM lessons WHERE retailer_id = $1 ORDER BY seq, number

-- model_before --
-- The model that was in use before the present one.
SELECT body->>'model' AS model FROM published
WHERE retailer_id = $1 AND kind = 'settings' AND version_to IS NOT NULL
  AND body->>'model' IS DISTINCT FROM $2::text
ORDER BY version_to DESC LIMIT 1
