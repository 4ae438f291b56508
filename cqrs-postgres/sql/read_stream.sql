-- The events of a stream that follow a version.
SELECT position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at
FROM cqrs.events
WHERE category = $1 AND key = $2 AND version > $3
ORDER BY version
LIMIT $4
