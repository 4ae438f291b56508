-- The same as read_log.sql, by the index over kinds of events: for events that are few among many.
SELECT event.position, event.version, event.event_id, event.event_type, event.schema_version,
    CASE WHEN octet_length(event.payload::text) <= $6 THEN event.payload END AS payload, event.correlation_id,
    event.causation_id, event.details, event.recorded_at, event.category, event.key,
    CASE WHEN octet_length(event.payload::text) > $6 THEN octet_length(event.payload::text) END AS bytes
FROM cqrs.positions_of($4, $5, $1, $2, $3) AS wanted (position)
    -- One row after the other, by the primary key: nothing else is worth considering.
    CROSS JOIN LATERAL (SELECT * FROM cqrs.events WHERE position = wanted.position OFFSET 0) AS event
ORDER BY event.position
