-- The events of all streams after a position, up to another.
SELECT position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at, category, key
FROM cqrs.events
WHERE position > $1 AND position <= $2
ORDER BY position
LIMIT $3
