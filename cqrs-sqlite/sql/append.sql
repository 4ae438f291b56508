-- All events of an append, or none. The write lock is taken before anything is read, so that the version found here
-- is still the last one when the rows are written.
--
-- ?1 category, ?2 key
-- ?3 lowest and ?4 highest version the stream may stand at; no row is written otherwise
-- ?5 events: [[id, type, schema version, payload, correlation, causation, details or null], …]
WITH stream (version) AS (
    SELECT coalesce(
        (SELECT version FROM cqrs_events WHERE category = ?1 AND key = ?2 ORDER BY version DESC LIMIT 1),
        0
    )
)
INSERT INTO cqrs_events (
    category, key, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at
)
SELECT
    ?1,
    ?2,
    stream.version + event.key + 1,
    event.value ->> 0,
    event.value ->> 1,
    event.value ->> 2,
    event.value ->> 3,
    event.value ->> 4,
    event.value ->> 5,
    event.value ->> 6,
    CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
FROM stream CROSS JOIN json_each(?5) AS event
WHERE stream.version BETWEEN ?3 AND ?4
-- Positions are given out in this order.
ORDER BY event.key
RETURNING version, position
