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
SELECT as_of, learner, figures FROM models WHERE retailer_id = $1 AND model_id = $2 AND part = $3

-- has_model --
SELECT EXISTS (SELECT FROM models WHERE retailer_id = $1 AND model_id = $2)

-- add_model --
-- A model of a part: fitted, or made again.
INSERT INTO models (retailer_id, model_id, part, created_at, as_of, learner, figures) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- models --
-- All fitted models, the newest first.
SELECT model_id, min(created_at) AS created_at, max(as_of) AS as_of, (array_agg(figures ORDER BY part))[1] AS figures
FROM models WHERE retailer_id = $1 GROUP BY model_id ORDER BY 2 DESC, model_id

-- outcomes --
-- All lessons, each with the shopper it is of.
SELECT seq, shopper_id, lesson FROM lessons WHERE retailer_id = $1 ORDER BY seq, number

-- model_before --
-- The model that was in use before the present one.
SELECT body->>'model' AS model FROM published
WHERE retailer_id = $1 AND kind = 'settings' AND version_to IS NOT NULL
  AND body->>'model' IS DISTINCT FROM $2::text
ORDER BY version_to DESC LIMIT 1

-- learning_parts --
-- The parts that have learned something.
SELECT part, max(seq) AS as_of FROM (
  SELECT part, seq FROM learners WHERE retailer_id = $1 UNION ALL SELECT part, seq FROM lessons WHERE retailer_id = $1
) AS learned GROUP BY part ORDER BY part

-- begun --
-- Where a part's learner has begun, as far as that is kept: what was learned of nobody.
SELECT seq, lesson FROM lessons WHERE retailer_id = $1 AND part = $2 AND shopper_id = '' ORDER BY seq, number

-- to_unlearn --
-- Whether somebody of whom there were lessons was erased before $3, and the model in use is older than that.
SELECT EXISTS (
  SELECT FROM erasures WHERE retailer_id = $1 AND erased_at < $3 AND (erased ->> 'lessons')::bigint > 0
    AND erased_at >= coalesce(
      (SELECT min(created_at) FROM models WHERE retailer_id = $1 AND model_id = $2), '-infinity'))

-- forget_former --
-- All that was learned as of entries from which no kept day is replayed: of before the last one before these.
DELETE FROM learners l WHERE l.retailer_id = $1 AND l.day < $2 AND EXISTS (
  SELECT FROM learners n WHERE n.retailer_id = $1 AND n.part = l.part AND n.seq > l.seq AND n.day < $2)

-- forget_models --
-- Models that may have learned of somebody who was erased since, once the one in use is older than any kept day.
DELETE FROM models m WHERE m.retailer_id = $1 AND m.model_id <> $2
  AND m.created_at <= (
    SELECT max(erased_at) FROM erasures WHERE retailer_id = $1 AND (erased ->> 'lessons')::bigint > 0)
  AND (SELECT min(created_at) FROM models WHERE retailer_id = $1 AND model_id = $2) < $3
