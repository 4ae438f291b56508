-- An event by its id.
SELECT position, version, event_id, event_type, schema_version, payload, correlation_id, causation_id, details,
    recorded_at, category, key
FROM cqrs.events
WHERE event_id = $1
