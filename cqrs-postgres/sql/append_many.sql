-- Appends events to the ends of several streams; each append only if its stream stands where it is expected to.
--
-- The arrays have an element for each event, in order: appends to the same streams from elsewhere then meet theirs in the
-- same order, and wait for each other instead of in a circle. No two appends are to the same stream, so what a stream
-- stands at in the snapshot of this statement is the same for all events of an append: all of them are inserted, or none.
-- $3 is the version expected, as for a single append; $4 the number of the event in its append, from 1.
WITH inserted AS (
    INSERT INTO cqrs.events (category, key, version, event_type, schema_version, payload, event_id, correlation_id,
        causation_id, details)
    SELECT event.category, event.key, stream.version + event.number, event.event_type, event.schema_version,
        event.payload::json, event.event_id, event.correlation_id, event.causation_id, event.details::json
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::uuid[],
            $9::uuid[], $10::uuid[], $11::text[])
        WITH ORDINALITY AS event (category, key, expected, number, event_type, schema_version, payload, event_id,
            correlation_id, causation_id, details, place)
        CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT version FROM cqrs.events AS last
                WHERE last.category = event.category AND last.key = event.key
                ORDER BY version DESC LIMIT 1), 0) AS version
        ) AS stream
    WHERE CASE event.expected WHEN -1 THEN true WHEN -2 THEN stream.version > 0
        ELSE stream.version = event.expected END
    -- Positions are drawn in this order.
    ORDER BY event.place
    RETURNING event_id, version, position
)
SELECT array_agg(event_id ORDER BY position), array_agg(version ORDER BY position), array_agg(position ORDER BY position)
FROM inserted
