-- Appends one event as version $3 of a stream, if the stream stands just before it; else inserts nothing.
--
-- The same as append.sql for what most commands do, at less than half of its cost beyond a bare insert.
INSERT INTO cqrs.events (category, key, version, event_type, schema_version, payload, event_id, correlation_id,
    causation_id, details)
SELECT $1, $2, $3::bigint, $4, $5, $6::text::json, $7, $8, $9, $10::text::json
WHERE $3::bigint - 1 = coalesce(
    (SELECT version FROM cqrs.events WHERE category = $1 AND key = $2 ORDER BY version DESC LIMIT 1), 0)
RETURNING position
