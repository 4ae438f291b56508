-- ?1 category, ?2 key, ?3 after this version, ?4 at most so many
SELECT
    format(
        '%d %d %d %d %d %d %d %s %s %s ',
        position, version, schema_version, recorded_at, octet_length(payload), length(category),
        (octet_length(event_id) + octet_length(correlation_id) + octet_length(causation_id)) / octet_length(' '),
        event_id, correlation_id, causation_id
    ) || event_type AS event,
    payload, details
FROM cqrs_events
WHERE category = ?1 AND key = ?2 AND version > ?3
ORDER BY version
LIMIT ?4
