-- The snapshot, as a row without position, then the events from its version on. One statement sees one state of the
-- database, so that the two belong together.
--
-- ?1 category, ?2 key, ?3 fingerprint, ?4 at most so many events
WITH snapshot AS (
    SELECT version, event_id, state
    FROM cqrs_snapshots
    WHERE category = ?1 AND key = ?2 AND fingerprint = ?3
)
SELECT
    NULL AS position, version, event_id, NULL AS event_type, NULL AS schema_version, state AS payload,
    NULL AS correlation_id, NULL AS causation_id, NULL AS details, NULL AS recorded_at
FROM snapshot
UNION ALL
SELECT * FROM (
    SELECT
        position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
        recorded_at
    FROM cqrs_events
    WHERE category = ?1 AND key = ?2 AND version >= coalesce((SELECT version FROM snapshot), 1)
    ORDER BY version
    LIMIT ?4
)
-- NULL comes first; positions grow with versions.
ORDER BY position
