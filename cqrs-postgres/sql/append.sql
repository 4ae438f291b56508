-- Appends events to the end of a stream, if it stands where it is expected to; else inserts nothing.
--
-- $3 is the version expected: -1 for any, -2 for any but 0. The arrays have an element for each event, in order.
-- The ids and versions decide in the end: where others commit at the same time, a unique constraint refuses the rows.
WITH stream AS MATERIALIZED (
    SELECT coalesce(
        (SELECT version FROM cqrs.events WHERE category = $1 AND key = $2 ORDER BY version DESC LIMIT 1), 0) AS version
), inserted AS (
    INSERT INTO cqrs.events (category, key, version, event_type, schema_version, payload, event_id, correlation_id,
        causation_id, details)
    SELECT $1, $2, stream.version + event.number, event.event_type, event.schema_version, event.payload::json,
        event.event_id, event.correlation_id, event.causation_id, event.details::json
    FROM stream, unnest($4::text[], $5::bigint[], $6::text[], $7::uuid[], $8::uuid[], $9::uuid[], $10::text[])
        WITH ORDINALITY AS event (event_type, schema_version, payload, event_id, correlation_id, causation_id, details,
            number)
    WHERE CASE $3::bigint WHEN -1 THEN true WHEN -2 THEN stream.version > 0 ELSE stream.version = $3 END
    -- Positions are drawn in this order.
    ORDER BY event.number
    RETURNING position
)
SELECT
    before.version,
    inserted.position,
    -- Whether the first event is in this stream already, asked only if nothing was inserted: then this may be an
    -- append sent a second time.
    CASE WHEN inserted.position IS NULL THEN
        EXISTS (SELECT FROM cqrs.events WHERE event_id = ($7::uuid[])[1] AND category = $1 AND key = $2)
    ELSE false END AS seen
FROM stream AS before, (SELECT max(position) AS position FROM inserted) AS inserted
