-- Positions are given out under the write lock and become visible in their order, so that what a statement sees is
-- the log from its beginning without holes that fill later.
--
-- ?1 after this position, ?2 up to this one, ?3 at most so many
-- ?4 categories and ?5 event types wanted: a JSON array of names, or null for all
-- ?6 a payload of more bytes is left out
SELECT
    format(
        '%d %d %d %d %d %d %d %s %s %s ',
        position, version, schema_version, recorded_at, octet_length(payload), length(category),
        (octet_length(event_id) + octet_length(correlation_id) + octet_length(causation_id)) / octet_length(' '),
        event_id, correlation_id, causation_id
    ) || event_type AS event,
    CASE WHEN octet_length(payload) <= ?6 THEN payload END AS payload, details, category || '/' || key AS stream
FROM cqrs_events
WHERE position > ?1 AND position <= ?2
    AND (?4 IS NULL OR category IN (SELECT value FROM json_each(?4)))
    AND (?5 IS NULL OR event_type IN (SELECT value FROM json_each(?5)))
ORDER BY position
LIMIT ?3
