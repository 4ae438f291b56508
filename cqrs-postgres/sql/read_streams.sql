-- The events of several streams that follow a version each, up to $4 of each stream.
SELECT event.position, event.version, event.event_id, event.event_type, event.schema_version, event.payload,
    event.correlation_id, event.causation_id, event.details, event.recorded_at, wanted.number
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS wanted (category, key, after, number)
    CROSS JOIN LATERAL (
        SELECT * FROM cqrs.events AS event
        WHERE event.category = wanted.category AND event.key = wanted.key AND event.version > wanted.after
        ORDER BY version
        LIMIT $4
    ) AS event
ORDER BY wanted.number, event.version
