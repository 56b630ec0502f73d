-- migrate:up

-- What a publication changed is found without reading the rest.
CREATE INDEX published_from ON published (retailer_id, version_from);
CREATE INDEX published_to ON published (retailer_id, version_to) WHERE version_to IS NOT NULL;

-- Who is in a geofence, for when it is moved or taken away.
CREATE INDEX visits_open ON visits (retailer_id, geofence) WHERE exited_at IS NULL;

-- migrate:down

DROP INDEX visits_open;
DROP INDEX published_to;
DROP INDEX published_from;
