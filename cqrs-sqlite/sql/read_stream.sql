-- ?1 category, ?2 key, ?3 after this version, ?4 at most so many
SELECT
    position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at
FROM cqrs_events
WHERE category = ?1 AND key = ?2 AND version > ?3
ORDER BY version
LIMIT ?4
