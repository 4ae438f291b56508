-- ?1 id
SELECT
    format(
        '%d %d %d %d %d %d %d %s %s %s ',
        position, version, schema_version, recorded_at, octet_length(payload), length(category),
        (octet_length(event_id) + octet_length(correlation_id) + octet_length(causation_id)) / octet_length(' '),
        event_id, correlation_id, causation_id
    ) || event_type AS event,
    payload, details, category || '/' || key AS stream
FROM cqrs_events
WHERE event_id = ?1
