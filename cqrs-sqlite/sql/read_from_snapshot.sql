-- The snapshot, as a row without position, then the events from its version on. One statement sees one state of the
-- database, so that the two belong together.
--
-- ?1 category, ?2 key, ?3 fingerprint, ?4 at most so many events
WITH snapshot AS (
    SELECT version, event_id, state
    FROM cqrs_snapshots
    WHERE category = ?1 AND key = ?2 AND fingerprint = ?3
)
SELECT NULL AS event, state AS payload, NULL AS details, NULL AS position, version, event_id
FROM snapshot
UNION ALL
SELECT * FROM (
    SELECT
        format(
            '%d %d %d %d %d %d %d %s %s %s ',
            position, version, schema_version, recorded_at, octet_length(payload), length(category),
            (octet_length(event_id) + octet_length(correlation_id) + octet_length(causation_id)) / octet_length(' '),
            event_id, correlation_id, causation_id
        ) || event_type AS event,
        payload, details, position, NULL, NULL
    FROM cqrs_events
    WHERE category = ?1 AND key = ?2 AND version >= coalesce((SELECT version FROM snapshot), 1)
    ORDER BY version
    LIMIT ?4
)
-- NULL comes first; positions grow with versions.
ORDER BY position
