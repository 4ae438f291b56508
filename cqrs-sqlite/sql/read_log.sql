-- Positions are given out under the write lock and become visible in their order, so that what a statement sees is
-- the log from its beginning without holes that fill later.
--
-- ?1 after this position, ?2 at most so many
-- ?3 categories and ?4 event types wanted: a JSON array of names, or null for all
SELECT
    position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at, category, key
FROM cqrs_events
WHERE position > ?1
    AND (?3 IS NULL OR category IN (SELECT value FROM json_each(?3)))
    AND (?4 IS NULL OR event_type IN (SELECT value FROM json_each(?4)))
ORDER BY position
LIMIT ?2
